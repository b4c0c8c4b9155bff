using System.Globalization;

namespace PacsCluster.Catalog;

/// <summary>Reads DA, TM and DT (PS3.5 section 6.2) as keys and as stored text. A value of less precision is the interval that it names: hour 10 is
/// from 10:00 until before 11:00. Times are in microseconds since midnight, date times in microseconds since year 1, UTC.</summary>
internal static class Moments
{
    private const long Second = 1_000_000;
    private const long Day = 24 * 3600 * Second;

    /// <summary>Reads a date key's value, single or range.</summary>
    public static bool TryParseDates(string value, out ValueRange range)
    {
        range = default;
        if (!TrySplit(value, out string low, out string high)) return false;
        string? from = null, to = null;
        if (low.Length > 0 && (from = Date(low)) is null) return false;
        if (high.Length > 0 && (to = Date(high)) is null) return false;
        range = new ValueRange(from, to);
        return true;
    }

    /// <summary>Reads a time key's value, single or range.</summary>
    public static bool TryParseTimes(string value, out ValueRange range)
    {
        range = default;
        if (!TrySplit(value, out string low, out string high)) return false;
        (long From, long To) from = (long.MinValue, 0), to = (0, long.MaxValue);
        if (low.Length > 0 && !TryTime(low, out from)) return false;
        if (high.Length > 0 && !TryTime(high, out to)) return false;
        range = new ValueRange(null, null, from.From, to.To);
        return true;
    }

    /// <summary>Reads a date time key's value, single or range. A hyphen may also begin a zone (2024010112-0500), so a value that reads whole is single.</summary>
    public static bool TryParseDateTimes(string value, out ValueRange range)
    {
        range = default;
        if (TryDateTime(value, out (long From, long To) single))
        {
            range = new ValueRange(null, null, single.From, single.To);
            return true;
        }
        for (int hyphen = value.IndexOf('-'); hyphen >= 0; hyphen = value.IndexOf('-', hyphen + 1))
        {
            (string low, string high) = (value[..hyphen].Trim(), value[(hyphen + 1)..].Trim());
            if (low.Length + high.Length == 0) return false;
            (long From, long To) from = (long.MinValue, 0), to = (0, long.MaxValue);
            if ((low.Length > 0 && !TryDateTime(low, out from)) || (high.Length > 0 && !TryDateTime(high, out to))) continue;
            range = new ValueRange(null, null, from.From, to.To);
            return true;
        }
        return false;
    }

    /// <summary>The date in the form of the columns; null when it is none.</summary>
    public static string? Date(string text)
    {
        if (text.Length == 10 && text[4] == '.' && text[7] == '.') text = text.Replace(".", "");
        return text.Length == 8 && DateOnly.TryParseExact(text, "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _) ? text : null;
    }

    /// <summary>HH, HHMM, HHMMSS, HHMMSS.F to .FFFFFF, with colons as ACR-NEMA had them.</summary>
    public static bool TryTime(ReadOnlySpan<char> text, out (long From, long To) interval)
    {
        interval = default;
        Span<char> plain = stackalloc char[16];
        int length = 0;
        foreach (char c in text.Trim())
        {
            if (c == ':') continue;
            if (length == plain.Length) return false;
            plain[length++] = c;
        }
        return TryPlainTime(plain[..length], out interval);
    }

    /// <summary>YYYY to YYYYMMDDHHMMSS.FFFFFF, with or without zone; without one it is taken for UTC, as all are compared alike.</summary>
    public static bool TryDateTime(ReadOnlySpan<char> text, out (long From, long To) interval)
    {
        interval = default;
        text = text.Trim();
        long zone = 0;
        int sign = text.LastIndexOfAny('+', '-');
        if (sign >= 4)
        {
            ReadOnlySpan<char> offset = text[(sign + 1)..];
            if (offset.Length != 4 || !TryDigits(offset[..2], out int hours) || !TryDigits(offset[2..], out int minutes) || hours > 14 || minutes > 59) return false;
            zone = ((hours * 60) + minutes) * 60 * Second * (text[sign] == '-' ? -1 : 1);
            text = text[..sign];
        }
        if (text.Length < 4 || !TryDigits(text[..4], out int year) || year == 0) return false;
        int month = 1, day = 1;
        if (text.Length >= 6 && (!TryDigits(text[4..6], out month) || month is 0 or > 12)) return false;
        if (text.Length >= 8 && (!TryDigits(text[6..8], out day) || day == 0 || day > DateTime.DaysInMonth(year, month))) return false;
        if (text.Length is 5 or 7) return false;
        var start = new DateTime(year, month, day, 0, 0, 0, DateTimeKind.Utc);
        long from = (start.Ticks / 10) - zone;
        if (text.Length > 8)
        {
            if (!TryPlainTime(text[8..], out (long From, long To) time)) return false;
            interval = (from + time.From, from + time.To);
            return true;
        }
        // The last year of the calendar has no next one.
        DateTime next = year == 9999 ? DateTime.MaxValue : text.Length == 4 ? start.AddYears(1) : text.Length == 6 ? start.AddMonths(1) : start.AddDays(1);
        interval = (from, (next.Ticks / 10) - zone);
        return true;
    }

    /// <summary>The moment of a date and a time, for combined matching; without a usable time its start, without a usable date null.</summary>
    public static long? Combine(string? date, string? time)
    {
        if (date is null || Date(date) is null || !TryDateTime(date, out (long From, long To) day)) return null;
        return time is not null && TryTime(time, out (long From, long To) ofDay) ? day.From + ofDay.From : day.From;
    }

    /// <summary>The ends of a range of dates with times: from the first date's time until the last date's time.</summary>
    public static ValueRange Combine(ValueRange dates, ValueRange times)
    {
        long low = long.MinValue, high = long.MaxValue;
        if (dates.DateLow is { } first && TryDateTime(first, out (long From, long To) a)) low = a.From + (times.Low == long.MinValue ? 0 : times.Low);
        if (dates.DateHigh is { } last && TryDateTime(last, out (long From, long To) b)) high = b.From + (times.High == long.MaxValue ? Day : times.High);
        return dates with { Low = low, High = high };
    }

    /// <summary>The year of a moment, for a bound by text; a day of grace on either side for the zones.</summary>
    public static string Year(long moment, int graceDays) =>
        new DateTime(Math.Clamp((moment / Day) + graceDays, 0, DateTime.MaxValue.Ticks / 10 / Day) * Day * 10, DateTimeKind.Utc).ToString("yyyy", CultureInfo.InvariantCulture);

    private static bool TryPlainTime(ReadOnlySpan<char> text, out (long From, long To) interval)
    {
        interval = default;
        if (text.Length is not (2 or 4 or 6) && (text.Length < 8 || text[6] != '.')) return false;
        int minutes = 0, seconds = 0;
        if (!TryDigits(text[..2], out int hours) || hours > 23) return false;
        if (text.Length >= 4 && (!TryDigits(text[2..4], out minutes) || minutes > 59)) return false;
        if (text.Length >= 6 && (!TryDigits(text[4..6], out seconds) || seconds > 60)) return false;
        long from = ((((hours * 60L) + minutes) * 60) + seconds) * Second;
        long precision = text.Length == 2 ? 3600 * Second : text.Length == 4 ? 60 * Second : Second;
        if (text.Length > 6)
        {
            ReadOnlySpan<char> fraction = text[7..];
            if (fraction.Length > 6) fraction = fraction[..6];
            if (!TryDigits(fraction, out int part)) return false;
            for (int i = fraction.Length; i < 6; i++) part *= 10;
            precision = 1;
            for (int i = fraction.Length; i < 6; i++) precision *= 10;
            from += part;
        }
        interval = (from, from + precision);
        return true;
    }

    private static bool TrySplit(string value, out string low, out string high)
    {
        (low, high) = ("", "");
        int hyphen = value.IndexOf('-');
        if (hyphen < 0)
        {
            low = high = value.Trim();
            return low.Length > 0;
        }
        (low, high) = (value[..hyphen].Trim(), value[(hyphen + 1)..].Trim());
        return low.Length + high.Length > 0;
    }

    private static bool TryDigits(ReadOnlySpan<char> text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
