namespace PacsCluster.Blobs.Tests;

/// <summary>The checksum against its published values and its definition.</summary>
public sealed class Crc32CTests
{
    [Fact]
    public void RFC_3720_B_4_gives_what_it_gives()
    {
        Assert.Equal(0x8A9136AAu, Of(new byte[32]));
        Assert.Equal(0x62A8AB43u, Of([.. Enumerable.Repeat((byte)0xFF, 32)]));
        Assert.Equal(0x46DD794Eu, Of([.. Enumerable.Range(0, 32).Select(n => (byte)n)]));
        Assert.Equal(0x113FDB5Cu, Of([.. Enumerable.Range(0, 32).Select(n => (byte)(31 - n))]));
        Assert.Equal(0xE3069283u, Of("123456789"u8));
    }

    [Theory]
    [InlineData(12_287)]
    [InlineData(12_288)]
    [InlineData(12_289)]
    [InlineData(100_003)]
    public void Long_runs_are_what_bit_by_bit_gives_however_they_are_cut(int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        uint expected = uint.MaxValue;
        foreach (byte one in bytes)
        {
            expected ^= one;
            for (int bit = 0; bit < 8; bit++) expected = (expected >> 1) ^ ((expected & 1) * 0x82F63B78u);
        }
        Assert.Equal(~expected, Of(bytes));
        uint state = Crc32C.Start;
        for (int at = 0; at < length; at += 13_001) state = Crc32C.Append(state, bytes.AsSpan(at, Math.Min(13_001, length - at)));
        Assert.Equal(~expected, Crc32C.End(state));
    }

    private static uint Of(ReadOnlySpan<byte> bytes) => Crc32C.End(Crc32C.Append(Crc32C.Start, bytes));
}
