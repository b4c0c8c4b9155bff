using System.Buffers.Binary;
using System.Runtime.InteropServices;
using PacsCluster.Dicom;
using PacsCluster.Imaging.Codecs;
using PacsCluster.Imaging.Native;

namespace PacsCluster.Imaging;

/// <summary>Encodes samples. In this process, except HTJ2K: encoders parse nothing that came from outside, they see samples whose number was checked.</summary>
internal static class FrameEncoder
{
    /// <summary>Encodes a frame so that a lossless encoding gives back every cell as it was, also bits outside of Bits Stored.</summary>
    public static EncodedFrame Encode(string transferSyntaxUid, DecodedFrame frame, EncodeOptions options, CancellationToken limit)
    {
        FrameFormat format = frame.Format;
        if (format.Kind != SampleKind.Integer) throw new ImagingException(ImagingError.Unsupported, "floating point samples are not compressed");
        return transferSyntaxUid switch
        {
            Uids.RLELossless => new EncodedFrame(format, RleCodec.Encode(format, frame.Samples.Span)),
            Uids.JPEGBaseline8Bit => Jpeg(frame, options),
            Uids.JPEGLSLossless => JpegLs(frame, 0),
            Uids.JPEGLSNearLossless => JpegLs(frame, options.Near),
            Uids.JPEG2000Lossless => Jpeg2000(frame, 0),
            Uids.JPEG2000 => Jpeg2000(frame, (float)options.Jpeg2000Ratio),
            Uids.HTJ2KLossless => HighThroughput(frame, limit),
            _ => throw new ImagingException(ImagingError.Unsupported, $"frames cannot be encoded in transfer syntax {transferSyntaxUid}"),
        };
    }

    private static EncodedFrame Jpeg(DecodedFrame frame, EncodeOptions options)
    {
        FrameFormat format = frame.Format;
        if (format.BitsAllocated != 8 || format.IsSigned || format.SamplesPerPixel is not (1 or 3) || format.Photometric == PhotometricInterpretation.PaletteColor)
            throw new ImagingException(ImagingError.Unsupported, "JPEG baseline holds one or three unsigned samples of 8 bits, and no palette indices");
        // Samples that are YCbCr already would be transformed a second time.
        if (format.SamplesPerPixel == 3 && format.Photometric != PhotometricInterpretation.Rgb)
            throw new ImagingException(ImagingError.Unsupported, $"JPEG baseline is encoded from RGB, not from {format.Photometric.Term()}");
        byte[] jpeg = TurboJpeg.Encode(frame.Samples.Span, format.Columns, format.Rows, format.SamplesPerPixel, options.JpegQuality, halfChroma: true);
        return new EncodedFrame(format.SamplesPerPixel == 3 ? format with { Photometric = PhotometricInterpretation.YbrFull422 } : format, jpeg);
    }

    private static EncodedFrame JpegLs(DecodedFrame frame, int near)
    {
        FrameFormat format = frame.Format;
        if (format.BitsAllocated > 16 || format.SamplesPerPixel == 2) throw new ImagingException(ImagingError.Unsupported, "JPEG-LS holds one, three or four samples of at most 16 bits");
        int bits = format.BitsAllocated;
        if (!format.IsSigned && AreClean(format, frame.Samples.Span)) bits = Math.Max(2, format.BitsStored);
        else if (near > 0 && format.IsSigned) throw new ImagingException(ImagingError.Unsupported, "near-lossless JPEG-LS of signed samples would turn -1 into 65,535");
        if (bits <= 8 && format.BitsAllocated == 16) bits = 9;
        if (near > 0) near = Math.Min(near, (1 << bits) / 2 - 1);
        return new EncodedFrame(format, CharLs.Encode(frame.Samples.Span, format.Columns, format.Rows, format.SamplesPerPixel, bits, near));
    }

    private static EncodedFrame Jpeg2000(DecodedFrame frame, float ratio)
    {
        FrameFormat format = frame.Format;
        if (format.BitsAllocated > 16) throw new ImagingException(ImagingError.Unsupported, "JPEG 2000 is encoded from at most 16 bits");
        ReadOnlySpan<byte> cells = frame.Samples.Span;
        int bits = AreClean(format, cells) ? format.BitsStored : format.BitsAllocated;
        int[] samples = new int[cells.Length / format.SampleBytes];
        if (format.SampleBytes == 1)
        {
            for (int i = 0; i < samples.Length; i++) samples[i] = format.IsSigned ? (sbyte)cells[i] : cells[i];
        }
        else
        {
            for (int i = 0; i < samples.Length; i++)
            {
                ushort cell = BinaryPrimitives.ReadUInt16LittleEndian(cells[(i * 2)..]);
                samples[i] = format.IsSigned ? (short)cell : cell;
            }
        }
        bool transforms = format.SamplesPerPixel == 3 && format.Photometric == PhotometricInterpretation.Rgb;
        byte[] codestream = OpenJpeg.Encode(samples, format.Columns, format.Rows, format.SamplesPerPixel, bits, format.IsSigned, transforms, ratio);
        PhotometricInterpretation photometric = !transforms ? format.Photometric : ratio > 0 ? PhotometricInterpretation.YbrIct : PhotometricInterpretation.YbrRct;
        return new EncodedFrame(format with { Photometric = photometric }, codestream);
    }

    private static EncodedFrame HighThroughput(DecodedFrame frame, CancellationToken limit)
    {
        FrameFormat format = frame.Format;
        if (format.BitsAllocated > 16 || format.SamplesPerPixel is not (1 or 3)) throw new ImagingException(ImagingError.Unsupported, "HTJ2K is encoded from one or three samples of at most 16 bits");
        int bits = AreClean(format, frame.Samples.Span) ? format.BitsStored : format.BitsAllocated;
        bool transforms = format.SamplesPerPixel == 3 && format.Photometric == PhotometricInterpretation.Rgb;
        byte[] codestream = OpenJph.Encode(frame.Samples, format, bits, transforms, CodecLibrary.Folder, limit);
        return new EncodedFrame(transforms ? format with { Photometric = PhotometricInterpretation.YbrRct } : format, codestream);
    }

    /// <summary>Every cell is a number of Bits Stored bits and nothing else: zeros above an unsigned one, the sign above a signed one.</summary>
    private static bool AreClean(FrameFormat format, ReadOnlySpan<byte> cells)
    {
        if (format.HighBit != format.BitsStored - 1) return false;
        if (format.BitsStored == format.BitsAllocated) return true;
        int unused = 32 - format.BitsStored;
        if (format.SampleBytes == 1)
        {
            foreach (byte cell in cells)
            {
                if (format.IsSigned ? (sbyte)cell != (sbyte)cell << unused >> unused : cell >> format.BitsStored != 0) return false;
            }
            return true;
        }
        foreach (ushort cell in MemoryMarshal.Cast<byte, ushort>(cells))
        {
            if (format.IsSigned ? (short)cell != (short)cell << unused >> unused : cell >> format.BitsStored != 0) return false;
        }
        return true;
    }
}
