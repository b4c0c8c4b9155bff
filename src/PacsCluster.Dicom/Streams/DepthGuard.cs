namespace PacsCluster.Dicom;

/// <summary>Looks whether sequences are nested deeper than allowed, without building items: what comes in is checked once, at the gate, so that nobody
/// behind it meets a bottomless instance later. Defined lengths are followed too. What cannot be read ends the look, it is no error here.</summary>
internal static class DepthGuard
{
    private struct Level
    {
        public int End;
        public bool IsItem;
        public Mode Mode;
        public bool Unknown;
        public bool Opaque;
    }

    /// <exception cref="DicomFormatException">Deeper than <paramref name="depthMax"/>.</exception>
    public static void Check(ReadOnlySpan<byte> value, Mode mode, bool unknown, int depthMax)
    {
        var levels = new Level[8];
        levels[0] = new Level { End = value.Length, Mode = unknown ? Mode.ImplicitLittle : mode, Unknown = unknown };
        int count = 1, sequences = 1;
        int at = 0;
        while (count > 0)
        {
            if (sequences > depthMax) throw new DicomFormatException("sequences are nested too deep");
            ref Level level = ref levels[count - 1];
            if (level.End - at < 8)
            {
                at = level.End;
                if (!level.IsItem) sequences--;
                count--;
                continue;
            }
            if (!ElementHeader.TryRead(value[at..level.End], level.Mode, out ElementHeader header)) return;
            at += header.Size;
            bool opens;
            Level inner = level;
            if (header.Tag.Group == 0xFFFE)
            {
                if (header.Tag.Value != ElementHeader.ItemTag)
                {
                    if (!level.IsItem) sequences--;
                    count--;
                    continue;
                }
                if (level.IsItem) return;
                opens = !level.Opaque;
                inner.IsItem = true;
                if (opens) inner.Mode = ElementHeader.ModeOfItem(value[at..level.End], level.Mode, level.Unknown);
            }
            else
            {
                if (!level.IsItem) return;
                opens = header.VR == VR.SQ || header.IsUndefined
                    || (header.VR is VR.None or VR.UN && Sequences.LooksLikeItems(value[at..level.End]));
                inner.IsItem = false;
                inner.Opaque = header.VR is VR.OB or VR.OW;
                if (header.VR == VR.UN) (inner.Mode, inner.Unknown) = (Mode.ImplicitLittle, true);
            }
            int end = header.Length <= (uint)(level.End - at) ? at + (int)header.Length : level.End;
            if (!opens)
            {
                at = end;
                continue;
            }
            inner.End = end;
            if (!inner.IsItem) sequences++;
            if (count == levels.Length) Array.Resize(ref levels, count * 2);
            levels[count++] = inner;
        }
    }
}
