using System.Buffers;
using System.Net.Sockets;
using PacsCluster.Dicom.Network;

namespace PacsCluster.Dimse;

internal sealed partial class DimseConnection
{
    private const int SmallOutBytes = 16 * 1024;

    /// <summary>What goes out by one system call when data sets are sent: one PDU of ours, or several of a peer that takes small ones.</summary>
    private const int LargeOutBytes = 128 * 1024;

    private readonly SemaphoreSlim _writeLock = new(1, 1);
    private PdvWriter _out;
    private bool _writeFailed;
    private bool _torn;

    /// <summary>Sends a message. Complete messages may be left in the buffer, to go out with a later one or by <see cref="FlushAsync"/>.</summary>
    /// <param name="contextId">Presentation context.</param>
    /// <param name="command">Its HasDataSet says whether <paramref name="dataSet"/> is sent.</param>
    /// <param name="dataSet">The data set, encoded in the context's transfer syntax.</param>
    /// <param name="flush">False: may wait in the buffer.</param>
    /// <exception cref="AssociationEndedException">The association is no more.</exception>
    public async ValueTask SendAsync(byte contextId, CommandSet command, ReadOnlyMemory<byte> dataSet = default, bool flush = true)
    {
        await EnterWriteAsync();
        try
        {
            await PutCommandAsync(contextId, command);
            while (command.HasDataSet)
            {
                Memory<byte> room = await RoomAsync(Math.Min(dataSet.Length, 512));
                int count = Math.Min(room.Length, dataSet.Length);
                dataSet[..count].CopyTo(room);
                dataSet = dataSet[count..];
                _out.End(contextId, isCommand: false, isLast: dataSet.IsEmpty, count);
                if (dataSet.IsEmpty) break;
            }
            if (flush) await PutOutAsync();
            _writeFailed = false;
        }
        finally
        {
            _writeLock.Release();
        }
    }

    /// <summary>Sends a message whose data set is read from a stream, with bounded memory.</summary>
    /// <param name="contextId">Presentation context.</param>
    /// <param name="command">HasDataSet must be set.</param>
    /// <param name="dataSet">Read to its end, or for <paramref name="length"/> bytes; encoded in the context's transfer syntax.</param>
    /// <param name="length">Its length in bytes when known; -1 otherwise.</param>
    /// <param name="cancellationToken">For reading <paramref name="dataSet"/>.</param>
    /// <exception cref="AssociationEndedException">The association is no more.</exception>
    /// <exception cref="IOException">Reading <paramref name="dataSet"/> failed or it ended early: the association cannot go on, abort it.</exception>
    public async ValueTask SendAsync(byte contextId, CommandSet command, Stream dataSet, long length, CancellationToken cancellationToken)
    {
        await EnterWriteAsync();
        try
        {
            await GrowAsync();
            await PutCommandAsync(contextId, command);
            await PutStreamAsync(contextId, dataSet, length, cancellationToken);
            await PutOutAsync();
            _writeFailed = false;
        }
        finally
        {
            _writeLock.Release();
        }
    }

    /// <summary>Sends what waits in the buffer.</summary>
    public async ValueTask FlushAsync()
    {
        await EnterWriteAsync();
        try
        {
            await PutOutAsync();
            _writeFailed = false;
        }
        finally
        {
            _writeLock.Release();
        }
    }

    private async ValueTask PutStreamAsync(byte contextId, Stream dataSet, long length, CancellationToken cancellationToken)
    {
        // With the length unknown, one byte read ahead tells whether a full fragment is the last one.
        byte[] ahead = new byte[1];
        int aheadCount = 0;
        long left = length >= 0 ? length : long.MaxValue;
        while (true)
        {
            // Fragments have even lengths (PS3.8 annex E.2 by PS3.5 section 7.1.1), and peers abort when one has not.
            Memory<byte> room = await RoomAsync((int)((Math.Min(left, 4096) + 1) & ~1L));
            int wanted = (int)Math.Min(left, room.Length), count = 0;
            if (aheadCount > 0) (room.Span[0], count, aheadCount) = (ahead[0], 1, 0);
            count += await dataSet.ReadAtLeastAsync(room[count..wanted], wanted - count, throwOnEndOfStream: length >= 0, cancellationToken);
            left -= length >= 0 ? count : 0;
            bool isLast = length >= 0 ? left == 0 : count < room.Length || (aheadCount = await dataSet.ReadAsync(ahead, cancellationToken)) == 0;
            // A deflated stream of odd length gets one null byte (PS3.5 annex A.5); any other data set of odd length is broken at its end, and
            // one null byte more is the least that lets its receiver have it at all.
            if (isLast && (count & 1) == 1) room.Span[count++] = 0;
            _out.End(contextId, isCommand: false, isLast, count);
            if (isLast) return;
        }
    }

    private async ValueTask PutCommandAsync(byte contextId, CommandSet command)
    {
        // P-DATA in any other state than Sta6 and Sta8 has no entry in table 9-10: the association is on its way out.
        lock (_gate)
        {
            if (State is not (UpperLayerState.Sta6 or UpperLayerState.Sta8)) throw new AssociationEndedException(_why, "the association is not open any more");
            _upperLayer.Fire(UpperLayerEvent.Evt9);
            CountAnswer(command);
        }
        byte[] bytes = ArrayPool<byte>.Shared.Rent(command.MaxEncodedBytes);
        ReadOnlyMemory<byte> rest = bytes.AsMemory(0, command.Write(bytes));
        while (!rest.IsEmpty)
        {
            Memory<byte> room = await RoomAsync(rest.Length);
            int count = Math.Min(room.Length, rest.Length);
            rest[..count].CopyTo(room);
            rest = rest[count..];
            _out.End(contextId, isCommand: true, isLast: rest.IsEmpty, count);
        }
        ArrayPool<byte>.Shared.Return(bytes);
    }

    private async ValueTask<Memory<byte>> RoomAsync(int minimum)
    {
        Memory<byte> room = _out.Begin(minimum);
        if (!room.IsEmpty) return room;
        await PutOutAsync();
        return _out.Begin();
    }

    private async ValueTask GrowAsync()
    {
        if (_out.Buffer.Length >= LargeOutBytes) return;
        await PutOutAsync();
        byte[] small = _out.Buffer;
        _out = new PdvWriter(ArrayPool<byte>.Shared.Rent(LargeOutBytes), PeerMaxPdu);
        ArrayPool<byte>.Shared.Return(small);
    }

    /// <summary>One writer at a time; none after one that failed, because nobody knows how much of its message went out (C-20).</summary>
    private async ValueTask EnterWriteAsync()
    {
        await _writeLock.WaitAsync();
        if (!_writeFailed)
        {
            _writeFailed = true; // until the writer says that all went well
            return;
        }
        _writeLock.Release();
        throw new AssociationEndedException(_why, "the association is broken: an earlier write failed");
    }

    private async ValueTask PutOutAsync()
    {
        if (_out.Length == 0) return;
        await WriteAsync(_out.Buffer.AsMemory(0, _out.Length));
        _out.Reset();
    }

    private async ValueTask SendPduAsync(byte[] pdu)
    {
        await EnterWriteAsync();
        try
        {
            await PutOutAsync();
            await WriteAsync(pdu);
            _writeFailed = false;
        }
        finally
        {
            _writeLock.Release();
        }
    }

    /// <summary>A-ABORT goes out if the socket takes it; nothing is written after it.</summary>
    private async ValueTask TrySendAbortAsync(Abort abort)
    {
        if (!await _writeLock.WaitAsync(0)) return;
        try
        {
            // A message left incomplete is no hindrance, a PDU left incomplete is.
            _writeFailed = true;
            if (!_torn) await WriteAsync(PduEncoder.Encode(abort));
        }
        catch (AssociationEndedException)
        {
            // The peer is gone already.
        }
        finally
        {
            _writeLock.Release();
        }
    }

    private async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        Volatile.Write(ref _writeDeadline, DeadlineIn(_settings.Timeouts.Send));
        _torn = true;
        try
        {
            await _stream.WriteAsync(bytes, _writeGone.Token);
            await _stream.FlushAsync(_writeGone.Token);
            _torn = false;
        }
        catch (OperationCanceledException e)
        {
            throw new AssociationEndedException(_why, _why == AssociationEnd.SendTimeout ? "the peer took nothing for too long" : "cut while sending", e);
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            throw new AssociationEndedException(AssociationEnd.ConnectionLost, $"sending failed: {e.Message}", e);
        }
        finally
        {
            Volatile.Write(ref _writeDeadline, 0);
        }
    }
}
