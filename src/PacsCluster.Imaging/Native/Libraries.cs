using System.Reflection;
using System.Runtime.InteropServices;

namespace PacsCluster.Imaging.Native;

/// <summary>A codec library: what it is called here, on this machine, and what to install.</summary>
/// <param name="Name">In our declarations.</param>
/// <param name="Title">For messages.</param>
/// <param name="FileName">By the interface version that we were written for.</param>
/// <param name="Package">Debian package.</param>
internal sealed record CodecLibrary(string Name, string Title, string FileName, string Package)
{
    public const string TurboJpegName = "turbojpeg", CharLsName = "charls", OpenJpegName = "openjp2";

    public static CodecLibrary TurboJpeg { get; } = new(TurboJpegName, "JPEG", "libturbojpeg.so.0", "libturbojpeg0");
    public static CodecLibrary CharLs { get; } = new(CharLsName, "JPEG-LS", "libcharls.so.2", "libcharls2");
    public static CodecLibrary OpenJpeg { get; } = new(OpenJpegName, "JPEG 2000", "libopenjp2.so.7", "libopenjp2-7");

    private static readonly CodecLibrary[] s_all = [TurboJpeg, CharLs, OpenJpeg];
    private static string? s_folder;

    static CodecLibrary() => NativeLibrary.SetDllImportResolver(typeof(CodecLibrary).Assembly, Resolve);

    /// <summary>Takes the libraries from a folder instead of where the system has them; before the first use, for the whole process.</summary>
    public static void LoadFrom(string? folder) => s_folder = folder;

    /// <summary>Where <see cref="LoadFrom"/> says; null for where the system has them.</summary>
    public static string? Folder => s_folder;

    /// <summary>Loads the library if that was not done.</summary>
    /// <exception cref="ImagingException">LibraryMissing, with the package's name.</exception>
    public void Require()
    {
        if (Load(this) == 0) throw new ImagingException(ImagingError.LibraryMissing, $"{Title} needs {FileName}, which is not installed here: apt-get install {Package}");
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        Array.Find(s_all, library => library.Name == name) is { } library ? Load(library) : 0;

    private static nint Load(CodecLibrary library)
    {
        string file = s_folder is null ? library.FileName : Path.Combine(s_folder, library.FileName);
        return NativeLibrary.TryLoad(file, out nint handle) ? handle : 0;
    }
}
