using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Serialization;

namespace PacsCluster.Server.Options;

/// <summary>Fills option records from configuration. Unlike the framework's binder it names every unknown option and every value that cannot
/// be read, all at once, by the name that the operator wrote. Lists and dictionaries replace their defaults.</summary>
internal static class OptionsBinder
{
    /// <summary>A new <typeparamref name="T"/> with what the configuration says over its defaults.</summary>
    /// <param name="configuration">All sources, the strongest last.</param>
    /// <param name="errors">Gets one line per error.</param>
    public static T Bind<T>(IConfiguration configuration, List<string> errors)
        where T : class, new() => (T)Fill(new T(), configuration, "", errors);

    /// <summary>The options of a record: settable public properties, without those that say they are no data.</summary>
    public static IEnumerable<PropertyInfo> Options(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite && p.GetIndexParameters().Length == 0 && !p.IsDefined(typeof(IgnoreDataMemberAttribute)));

    /// <summary>Values that are written as one text; everything else has members of its own.</summary>
    public static bool IsSimple(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsPrimitive || type.IsEnum || type == typeof(string) || type == typeof(TimeSpan) || type == typeof(decimal);
    }

    /// <summary>The type of a list's elements, or null.</summary>
    public static Type? ElementOf(Type type) => type.IsArray
        ? type.GetElementType()
        : type.IsGenericType && type.GetGenericArguments().Length == 1 && typeof(IEnumerable).IsAssignableFrom(type) ? type.GetGenericArguments()[0] : null;

    /// <summary>The type of a dictionary's values, or null.</summary>
    public static Type? ValueOf(Type type) => type.IsGenericType && type.GetGenericArguments() is [var key, var value] && key == typeof(string) ? value : null;

    private static object Fill(object target, IConfiguration section, string path, List<string> errors)
    {
        Dictionary<string, PropertyInfo> options = Options(target.GetType()).ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase);
        foreach (IConfigurationSection child in section.GetChildren())
        {
            string name = path + child.Key;
            if (!options.TryGetValue(child.Key, out PropertyInfo? option))
            {
                errors.Add($"{name}: no such option{Nearest(child.Key, options.Keys)}");
                continue;
            }
            if (Read(option.PropertyType, option.GetValue(target), child, path + option.Name, errors) is { } value) option.SetValue(target, value);
        }
        return target;
    }

    private static object? Read(Type type, object? current, IConfigurationSection section, string name, List<string> errors)
    {
        if (IsSimple(type))
        {
            if (section.Value is not null) return Parse(type, section.Value, name, errors);
            if (section.GetChildren().Any()) errors.Add($"{name}: one value is expected, not a group");
            return null;
        }
        if (ValueOf(type) is { } valueType)
        {
            var map = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(typeof(string), valueType))!;
            foreach (IConfigurationSection child in section.GetChildren())
            {
                if (Read(valueType, null, child, $"{name}:{child.Key}", errors) is { } value) map[child.Key] = value;
            }
            return map;
        }
        if (ElementOf(type) is { } elementType)
        {
            // A list may be written as one text too: --set Dimse:X=a,b
            var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(elementType))!;
            if (section.Value is { Length: > 0 } text && IsSimple(elementType))
            {
                foreach (string part in text.Split(',', StringSplitOptions.TrimEntries)) list.Add(Parse(elementType, part, name, errors));
            }
            foreach (IConfigurationSection child in section.GetChildren())
            {
                if (Read(elementType, null, child, $"{name}:{child.Key}", errors) is { } value) list.Add(value);
            }
            if (!type.IsArray) return list;
            var array = Array.CreateInstance(elementType, list.Count);
            list.CopyTo(array, 0);
            return array;
        }
        if (!string.IsNullOrEmpty(section.Value)) errors.Add($"{name}: a group of options is expected, not '{section.Value}'");
        // The default is copied, not written into: records share defaults.
        object target = Activator.CreateInstance(type)!;
        if (current is not null)
        {
            foreach (PropertyInfo option in Options(type)) option.SetValue(target, option.GetValue(current));
        }
        Fill(target, section, name + ":", errors);
        string[] missing = [.. Options(type).Where(o => o.IsDefined(typeof(RequiredMemberAttribute)) && o.GetValue(target) is null).Select(o => $"{name}:{o.Name}: is needed")];
        errors.AddRange(missing);
        return missing.Length == 0 ? target : null;
    }

    private static object? Parse(Type declared, string text, string name, List<string> errors)
    {
        Type type = Nullable.GetUnderlyingType(declared) ?? declared;
        text = text.Trim();
        if (type == typeof(string)) return text;
        if (type == typeof(bool) && bool.TryParse(text, out bool flag)) return flag;
        if (type.IsEnum && Enum.GetNames(type).FirstOrDefault(n => n.Equals(text, StringComparison.OrdinalIgnoreCase)) is { } known) return Enum.Parse(type, known);
        if (type == typeof(TimeSpan) && TryParseTime(text, out TimeSpan time)) return time;
        if (type == typeof(double) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double real)) return real;
        if ((type == typeof(int) || type == typeof(long) || type == typeof(uint) || type == typeof(ushort) || type == typeof(byte)) && TryParseNumber(text, out decimal number))
        {
            try
            {
                return Convert.ChangeType(number, type, CultureInfo.InvariantCulture);
            }
            catch (OverflowException)
            {
                // Told below with the others.
            }
        }
        errors.Add($"{name}: '{text}' is not {Kind(type)}");
        return null;
    }

    /// <summary>What an operator writes for a type.</summary>
    internal static string Kind(Type declared)
    {
        Type type = Nullable.GetUnderlyingType(declared) ?? declared;
        return type switch
        {
            _ when type == typeof(bool) => "true or false",
            _ when type == typeof(TimeSpan) => "a time (200 ms, 30 s, 5 min, 6 h, 7 d or hh:mm:ss)",
            _ when type.IsEnum => "one of " + string.Join(", ", Enum.GetNames(type)),
            _ when type == typeof(string) => "a text",
            _ when type == typeof(double) => "a number",
            _ => "a whole number (KiB, MiB and GiB may follow)",
        };
    }

    internal static bool TryParseTime(string text, out TimeSpan time)
    {
        (string Unit, double Seconds)[] units = [("ms", 0.001), ("min", 60), ("s", 1), ("h", 3600), ("d", 86400)];
        foreach ((string unit, double seconds) in units)
        {
            if (!text.EndsWith(unit, StringComparison.Ordinal)
                || !double.TryParse(text[..^unit.Length], NumberStyles.Float, CultureInfo.InvariantCulture, out double count)) continue;
            time = TimeSpan.Zero;
            if (!double.IsFinite(count) || Math.Abs(count * seconds) > 1e10) return false;
            time = TimeSpan.FromSeconds(count * seconds);
            return true;
        }
        // "30" alone would mean 30 days to TimeSpan, which nobody means.
        time = TimeSpan.Zero;
        return text == "0" || (text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out time));
    }

    internal static bool TryParseNumber(string text, out decimal number)
    {
        decimal unit = 1;
        foreach ((string suffix, decimal size) in new[] { ("KiB", 1024m), ("MiB", 1048576m), ("GiB", 1073741824m), ("TiB", 1099511627776m) })
        {
            if (!text.EndsWith(suffix, StringComparison.Ordinal)) continue;
            unit = size;
            text = text[..^suffix.Length].TrimEnd();
        }
        bool ok = decimal.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number) && Math.Abs(number) < 1e18m;
        if (ok) number *= unit;
        return ok;
    }

    private static string Nearest(string word, IEnumerable<string> known)
    {
        string? nearest = known.OrderBy(k => Distance(k.ToLowerInvariant(), word.ToLowerInvariant())).FirstOrDefault();
        return nearest is not null && Distance(nearest.ToLowerInvariant(), word.ToLowerInvariant()) <= 1 + word.Length / 3 ? $" (did you mean {nearest}?)" : "";
    }

    // Levenshtein, one row.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
