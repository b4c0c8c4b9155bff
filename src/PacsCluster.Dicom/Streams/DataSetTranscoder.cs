using System.Buffers;
using System.IO.Compression;

namespace PacsCluster.Dicom;

/// <summary>Converts a data set between the uncompressed and deflated transfer syntaxes while it streams by (PS3.5 section 10, annex A). Elements are
/// converted one at a time; a value of more than 64 KiB that is no sequence passes in pieces, so that memory does not depend on the size of the instance.
/// A sequence is held whole, because its lengths are written anew. Group lengths are left out; an element that no 16-bit length can hold becomes UN.
/// Not safe for several threads at once.</summary>
public sealed class DataSetTranscoder : IDisposable, IElementSink
{
    private const int StreamFromBytes = 64 * 1024;

    private enum Fate : byte { Convert, Stream, Copy, Drop }

    private readonly int _elementMaxBytes;
    private readonly Mode _from;
    private readonly Mode _to;
    private readonly TransferSyntax _fromEncoding;
    private readonly ByteBuffer _out = new(16 * 1024);
    // Private creators and the few attributes that decide VRs, in the source's encoding.
    private readonly ByteBuffer _context = new(1024);
    private readonly ByteBuffer _element = new(4096);
    private readonly Inflater? _inflater;
    private readonly Inflater.Sink? _fromInflater;
    private readonly DeflateStream? _deflate;
    private readonly MemoryStream? _deflated;
    private readonly byte[] _carry = new byte[8];
    private readonly bool _verbatim;
    private ElementSplitter _splitter;
    private IBufferWriter<byte>? _output;
    private ElementHeader _header;
    private Fate _fate;
    private int _word;
    private int _carried;
    private byte _padding;
    private bool _odd;
    private long _written;

    /// <summary>Converts from one transfer syntax to another.</summary>
    /// <param name="source">How the bytes to be fed are encoded.</param>
    /// <param name="target">How they come out.</param>
    /// <param name="depthMax">Nested sequences, in levels.</param>
    /// <param name="elementMaxBytes">Bytes of one sequence held at most; a longer one is a DicomFormatException. Default 256 MiB.</param>
    /// <exception cref="ArgumentException"><see cref="CanConvert"/> says no.</exception>
    public DataSetTranscoder(TransferSyntax source, TransferSyntax target, int depthMax = 128, int elementMaxBytes = 256 * 1024 * 1024)
    {
        if (!CanConvert(source, target)) throw new ArgumentException($"no conversion from {source} to {target}", nameof(target));
        _elementMaxBytes = elementMaxBytes;
        _fromEncoding = DataSet.WithoutDeflate(source);
        _from = DataSet.ModeOf(_fromEncoding);
        _to = DataSet.ModeOf(DataSet.WithoutDeflate(target));
        _verbatim = _from == _to;
        _splitter = new ElementSplitter(_from, depthMax);
        DepthMax = depthMax;
        if (source.Uid == target.Uid) return;
        if (source.IsDeflated)
        {
            _inflater = new Inflater();
            _fromInflater = TakePlain;
        }
        if (!target.IsDeflated) return;
        _deflated = new MemoryStream();
        _deflate = new DeflateStream(_deflated, CompressionLevel.Fastest, leaveOpen: true);
    }

    private int DepthMax { get; }

    /// <summary>Whether a data set in <paramref name="source"/> can be written in <paramref name="target"/> without touching a codec.</summary>
    public static bool CanConvert(TransferSyntax source, TransferSyntax target)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        return source.Uid == target.Uid || !source.IsEncapsulated && !target.IsEncapsulated;
    }

    /// <summary>A stream that gives what <paramref name="source"/> holds, converted, and closes it. Reads ahead 64 KiB.</summary>
    /// <exception cref="ArgumentException"><see cref="CanConvert"/> says no.</exception>
    public static Stream Convert(Stream source, TransferSyntax from, TransferSyntax to) => new TranscodingStream(source, new DataSetTranscoder(from, to), from.IsDeflated);

    /// <summary>Takes the next fragment of the source, of any length, and writes what can be written by now.</summary>
    /// <exception cref="DicomFormatException">Not a data set, or a sequence that is too long; nothing further can be fed.</exception>
    public void Feed(ReadOnlySpan<byte> fragment, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _output = output;
        if (_inflater is not null) _inflater.Feed(fragment, _fromInflater!);
        else TakePlain(fragment);
        Flush();
    }

    /// <summary>The end of the source; writes the rest.</summary>
    /// <exception cref="DicomFormatException">The source ends inside an element.</exception>
    public void Complete(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _output = output;
        if (!_verbatim) _splitter.Complete();
        Flush();
        if (_deflate is null) return;
        _deflate.Dispose();
        if (((_written + _deflated!.Length) & 1) != 0) _deflated.WriteByte(0);
        DrainDeflated();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _inflater?.Dispose();
        _deflate?.Dispose();
        _deflated?.Dispose();
    }

    private void TakePlain(ReadOnlySpan<byte> bytes)
    {
        if (_verbatim) Emit(bytes);
        else _splitter.Feed(bytes, this);
    }

    private void Flush()
    {
        if (_out.Length == 0) return;
        ReadOnlySpan<byte> bytes = _out.Memory.Span;
        _out.Truncate(0);
        Emit(bytes);
    }

    private void Emit(ReadOnlySpan<byte> bytes)
    {
        if (_deflate is null)
        {
            _output!.Write(bytes);
            return;
        }
        _deflate.Write(bytes);
        DrainDeflated();
    }

    private void DrainDeflated()
    {
        if (_deflated!.Length == 0) return;
        _output!.Write(_deflated.GetBuffer().AsSpan(0, (int)_deflated.Length));
        _written += _deflated.Length;
        _deflated.SetLength(0);
    }

    void IElementSink.ElementStart(in ElementHeader header, ReadOnlySpan<byte> headerBytes, long offset)
    {
        _header = header;
        _fate = FateOf(header);
        switch (_fate)
        {
            case Fate.Convert:
                _element.Truncate(0);
                _element.Append(headerBytes);
                break;
            case Fate.Stream:
                StartStream(header, ResolveVR(header));
                break;
            case Fate.Copy:
                WriteHeader(header.Tag, header.VR == VR.None ? VR.OW : header.VR, ElementHeader.Undefined);
                break;
        }
    }

    private Fate FateOf(in ElementHeader header)
    {
        if (header.Tag.IsGroupLength && header.Tag.Group > 2) return Fate.Drop;
        // Fragments are little endian wherever they stand.
        if (header.IsUndefined) return header.Tag == Tags.PixelData ? Fate.Copy : Fate.Convert;
        return header.Length > StreamFromBytes && ResolveVR(header) != VR.SQ ? Fate.Stream : Fate.Convert;
    }

    /// <summary>The VR of an element whose value has not come yet.</summary>
    private VR ResolveVR(in ElementHeader header)
    {
        if (header.VR != VR.None) return header.VR;
        int known = _context.Length;
        DataSetWriter.PutHeader(_context.Take(8), _from & ~Mode.Explicit, header.Tag, VR.None, 0);
        var soFar = DataSet.Read(_context.Memory, _fromEncoding);
        VR vr = soFar.TryGet(header.Tag, out DataElement element) ? element.VR : VR.UN;
        _context.Truncate(known);
        return vr;
    }

    private void StartStream(in ElementHeader header, VR vr)
    {
        uint length = header.Length + (header.Length & 1);
        VR written = (_to & Mode.Explicit) != 0 && !vr.HasLongLength() ? VR.UN : vr;
        WriteHeader(header.Tag, written, length);
        bool sourceBig = (_from & Mode.Big) != 0 && vr != VR.UN, targetBig = (_to & Mode.Big) != 0 && written != VR.UN;
        _word = sourceBig == targetBig ? 1 : vr.WordLength();
        _carried = 0;
        _odd = (header.Length & 1) != 0;
        _padding = vr.Padding();
    }

    private void WriteHeader(Tag tag, VR vr, uint length) => DataSetWriter.PutHeader(_out.Take(DataSetWriter.HeaderSize(_to, vr)), _to, tag, vr, length);

    void IElementSink.NestedToken(in NestingToken token, long offset, bool closes) { }

    void IElementSink.Value(ReadOnlySpan<byte> bytes)
    {
        switch (_fate)
        {
            case Fate.Convert:
                if (bytes.Length > _elementMaxBytes - _element.Length) throw new DicomFormatException("a sequence is too long to be converted", -1, _header.Tag);
                _element.Append(bytes);
                break;
            case Fate.Stream when _word > 1:
                StreamWords(bytes);
                break;
            case Fate.Stream or Fate.Copy:
                Flush();
                Emit(bytes);
                break;
        }
    }

    /// <summary>Swaps whole words; what a fragment leaves of a word waits for the next.</summary>
    private void StreamWords(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_carried > 0 || bytes.Length < _word)
            {
                int count = Math.Min(_word - _carried, bytes.Length);
                bytes[..count].CopyTo(_carry.AsSpan(_carried));
                _carried += count;
                bytes = bytes[count..];
                if (_carried < _word) return;
                Swapped(_carry.AsSpan(0, _word));
                _carried = 0;
                continue;
            }
            int whole = Math.Min(bytes.Length, StreamFromBytes) / _word * _word;
            Swapped(bytes[..whole]);
            bytes = bytes[whole..];
        }
    }

    private void Swapped(ReadOnlySpan<byte> words)
    {
        Span<byte> space = _out.Take(words.Length);
        words.CopyTo(space);
        WordSwap.InPlace(space, _word);
        if (_out.Length >= StreamFromBytes) Flush();
    }

    void IElementSink.ElementEnd(long offset)
    {
        switch (_fate)
        {
            case Fate.Stream:
                if (_carried > 0) _out.Append(_carry.AsSpan(0, _carried));
                if (_odd) _out.Take(1)[0] = _padding;
                break;
            case Fate.Convert:
                ConvertElement();
                break;
        }
        if (_out.Length >= StreamFromBytes) Flush();
    }

    private void ConvertElement()
    {
        Tag tag = _header.Tag;
        bool decides = tag.IsPrivateCreator || tag == Tags.BitsAllocated || tag == Tags.PixelRepresentation || tag == Tags.WaveformBitsAllocated;
        if (decides && (_from & Mode.Explicit) == 0 && _context.Length < StreamFromBytes) _context.Append(_element.Memory.Span);
        ReadOnlyMemory<byte> bytes = _element.Memory;
        if ((_from & Mode.Explicit) == 0 && _context.Length > 0)
        {
            // The element together with what its VR, and those inside it, depend on. First wins, so it may stand there twice.
            byte[] together = new byte[_context.Length + bytes.Length];
            _context.Memory.CopyTo(together);
            bytes.CopyTo(together.AsMemory(_context.Length));
            bytes = together;
        }
        var dataSet = DataSet.Read(bytes, _fromEncoding, new ReadOptions { DepthMax = DepthMax });
        int index = dataSet.Find(tag);
        new DataSetWriter(_out, _to).WriteElement(dataSet, dataSet.Entries[index]);
    }
}
