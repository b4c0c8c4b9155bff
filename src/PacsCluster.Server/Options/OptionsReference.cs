using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PacsCluster.Server.Options;

/// <summary>One option as an operator sees it.</summary>
/// <param name="Name">Full name, e.g. <c>Dimse:Port</c>; parts in angle brackets are chosen by the operator.</param>
/// <param name="Default">Text of the default, empty for none.</param>
/// <param name="Kind">What may be written.</param>
/// <param name="Meaning">From the XML documentation: meaning, unit, range and what happens at the limit.</param>
internal sealed record OptionDescription(string Name, string Default, string Kind, string Meaning);

/// <summary>The list of all options, made from the option records and their XML documentation, which lies beside the assemblies.</summary>
internal static partial class OptionsReference
{
    /// <summary>Every option, in the records' order.</summary>
    public static IEnumerable<OptionDescription> All() => Of(typeof(ServerOptions), new ServerOptions(), "", new Dictionary<Assembly, IReadOnlyDictionary<string, XElement>>());

    /// <summary>The reference as it is kept in OPTIONS.md.</summary>
    public static string ToMarkdown()
    {
        var lines = new List<string>
        {
            "# Options",
            "",
            "Made by `PacsCluster.Server options --markdown` from the option records; a test keeps it current. Sources, the later one wins: defaults,",
            "`pacscluster.json` in the data folder (or `--config FILE`), environment (`PACSCLUSTER__DIMSE__PORT=104`), command line",
            "(`--dicom-port 104`, or for any option `--set Dimse:Port=104`). Times: `200 ms`, `30 s`, `5 min`, `6 h`, `7 d` or `hh:mm:ss`. Bytes: `65536`, `64 KiB`, `1 MiB`, `2 GiB`.",
            "",
            "| option | default | meaning |",
            "|---|---|---|",
        };
        lines.AddRange(All().Select(o => $"| `{o.Name}` | {(o.Default.Length == 0 ? "" : $"`{o.Default}`")} | {o.Meaning.Replace("|", "\\|", StringComparison.Ordinal)} |"));
        return string.Join('\n', lines) + "\n";
    }

    private static IEnumerable<OptionDescription> Of(Type type, object? defaults, string path, Dictionary<Assembly, IReadOnlyDictionary<string, XElement>> docs)
    {
        foreach (PropertyInfo option in OptionsBinder.Options(type))
        {
            string name = path + option.Name;
            object? value = defaults is null ? null : option.GetValue(defaults);
            string meaning = Meaning(type, option, docs);
            Type declared = option.PropertyType;
            if (OptionsBinder.IsSimple(declared)) yield return new(name, Text(value), OptionsBinder.Kind(declared), meaning);
            else if (OptionsBinder.ValueOf(declared) is { } valueType)
            {
                yield return new($"{name}:<name>", "", "", meaning);
                if (!OptionsBinder.IsSimple(valueType)) foreach (OptionDescription inner in Of(valueType, Blank(valueType), $"{name}:<name>:", docs)) yield return inner;
            }
            else if (OptionsBinder.ElementOf(declared) is { } elementType)
            {
                yield return new($"{name}:<n>", value is IEnumerable list ? string.Join(",", list.Cast<object>().Select(Text)) : "", "", meaning);
                if (!OptionsBinder.IsSimple(elementType)) foreach (OptionDescription inner in Of(elementType, Blank(elementType), $"{name}:<n>:", docs)) yield return inner;
            }
            else
            {
                foreach (OptionDescription inner in Of(declared, value, name + ":", docs)) yield return inner;
            }
        }
    }

    private static object? Blank(Type type) => type.GetConstructor(Type.EmptyTypes) is null ? null : Activator.CreateInstance(type);

    private static string Text(object? value) => value switch
    {
        null => "",
        bool flag => flag ? "true" : "false",
        TimeSpan time => Time(time),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static string Time(TimeSpan time) => time switch
    {
        _ when time == TimeSpan.Zero => "0",
        _ when time.Ticks % TimeSpan.TicksPerHour == 0 => $"{time.TotalHours} h",
        _ when time.Ticks % TimeSpan.TicksPerMinute == 0 => $"{time.TotalMinutes} min",
        _ when time.Ticks % TimeSpan.TicksPerSecond == 0 => $"{time.TotalSeconds} s",
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds} ms"),
    };

    private static string Meaning(Type type, PropertyInfo option, Dictionary<Assembly, IReadOnlyDictionary<string, XElement>> docs)
    {
        if (!docs.TryGetValue(type.Assembly, out IReadOnlyDictionary<string, XElement>? members))
        {
            string path = Path.Combine(AppContext.BaseDirectory, type.Assembly.GetName().Name + ".xml");
            members = File.Exists(path)
                ? XDocument.Load(path).Descendants("member").ToDictionary(m => m.Attribute("name")!.Value)
                : new Dictionary<string, XElement>();
            docs[type.Assembly] = members;
        }
        XElement? member = members.GetValueOrDefault($"P:{option.DeclaringType!.FullName}.{option.Name}");
        if (member?.Element("inheritdoc")?.Attribute("cref")?.Value is { } from) member = members.GetValueOrDefault(from);
        if (member?.Element("summary") is not { } summary) return "";
        foreach (XElement see in summary.Descendants().Where(e => e.Name.LocalName is "see" or "paramref").ToList())
            see.ReplaceWith((see.Attribute("cref") ?? see.Attribute("name") ?? see.Attribute("langword"))!.Value.Split('.')[^1]);
        foreach (XElement code in summary.Descendants("c").ToList()) code.ReplaceWith($"`{code.Value}`");
        return Spaces().Replace(summary.Value, " ").Trim();
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
