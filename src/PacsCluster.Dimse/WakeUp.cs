using System.Runtime.InteropServices;

namespace PacsCluster.Dimse;

/// <summary>One thread sleeps here until another calls it. A call that comes first is not lost; many are one.
/// <para>A monitor's sleeper is woken while its waker still holds the lock, and the kernel often runs it at once: it goes to sleep again for the lock, twice
/// with .NET's own. On Linux this is one system call to sleep and one to wake (futex(2)), with nothing held.</para></summary>
internal sealed partial class WakeUp
{
    private const int Idle = 0;
    private const int Called = 1;
    private const int Asleep = 2;

    private const int FUTEX_WAIT_PRIVATE = 128;
    private const int FUTEX_WAKE_PRIVATE = 129;

    private static readonly nint s_futex = !OperatingSystem.IsLinux() ? 0 : RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 202,
        Architecture.Arm64 => 98,
        _ => 0,
    };

    // The kernel knows a sleeper by its address.
    private readonly int[] _state = GC.AllocateArray<int>(1, pinned: true);

    /// <summary>Sleeps until called, or not at all when that has happened since the last time. For one thread.</summary>
    public void Wait()
    {
        ref int state = ref _state[0];
        if (s_futex == 0)
        {
            lock (_state)
            {
                while (state != Called) Monitor.Wait(_state);
                state = Idle;
            }
            return;
        }
        if (Interlocked.CompareExchange(ref state, Asleep, Idle) == Idle)
        {
            // It may also wake for nothing.
            do _ = SystemCall(s_futex, ref state, FUTEX_WAIT_PRIVATE, Asleep, 0, 0, 0);
            while (Volatile.Read(ref state) == Asleep);
        }
        Interlocked.Exchange(ref state, Idle);
    }

    /// <summary>Wakes the thread, or has its next sleep end before it begins. From any thread.</summary>
    public void Call()
    {
        ref int state = ref _state[0];
        if (s_futex == 0)
        {
            lock (_state)
            {
                state = Called;
                Monitor.Pulse(_state);
            }
            return;
        }
        if (Interlocked.Exchange(ref state, Called) == Asleep) _ = SystemCall(s_futex, ref state, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, ref int address, nint operation, nint value, nint timeout, nint address2, nint value3);
}
