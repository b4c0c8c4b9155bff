using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using PacsCluster.Catalog;
using PacsCluster.Dicom;

namespace PacsCluster.Web;

/// <summary>The query of a search (PS3.18 8.3.4, 10.6.1), read: what to ask the catalog, and what to warn of.</summary>
internal sealed class SearchParameters
{
    private static readonly Tag s_studyInstanceUid = new(0x0020_000D);
    private static readonly Tag s_seriesInstanceUid = new(0x0020_000E);
    private static readonly Tag s_patientName = new(0x0010_0010);
    private static readonly Tag s_retrieveUrl = new(0x0008_1190);
    private static readonly Tag s_specificCharacterSet = new(0x0008_0005);

    private readonly SearchOptions _options;
    private readonly QueryLevel _level;
    private readonly SortedDictionary<Tag, List<string>> _keys = [];
    private readonly Dictionary<Tag, List<(Tag[] Path, string Value)>> _nested = [];
    private readonly HashSet<Tag> _included = [];
    private readonly List<(Tag, bool)> _order = [];
    private readonly List<string> _unmatched = [];
    private bool _all;
    private bool _isFuzzy;
    private int? _limit;
    private int _offset;

    private SearchParameters(SearchOptions options, QueryLevel level) => (_options, _level) = (options, level);

    /// <summary>The search; its Limit is what the client asked for, cut to the options' maximum.</summary>
    public SearchRequest Request { get; private set; } = null!;

    /// <summary>Texts for Warning headers.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>Attributes written also when they are empty: the defaults, and what was asked for by name.</summary>
    public IReadOnlySet<Tag> KeepEmpty { get; private set; } = null!;

    /// <summary>Reads a request.</summary>
    /// <param name="query">Its query.</param>
    /// <param name="level">Level of the resource.</param>
    /// <param name="study">Study Instance UID of the path, or null.</param>
    /// <param name="series">Series Instance UID of the path, or null.</param>
    /// <param name="options">Options.</param>
    /// <returns>The parameters, or what is wrong with them.</returns>
    public static (SearchParameters?, Problem?) Read(IQueryCollection query, QueryLevel level, string? study, string? series, SearchOptions options)
    {
        var parameters = new SearchParameters(options, level);
        foreach ((string name, StringValues values) in query)
        {
            foreach (string? value in values)
            {
                if (parameters.ReadOne(name, value ?? "") is { } problem) return (null, problem);
            }
        }
        if (parameters.SetPath(s_studyInstanceUid, study) is { } wrong) return (null, wrong);
        if (parameters.SetPath(s_seriesInstanceUid, series) is { } wrongToo) return (null, wrongToo);
        QueryLevel given = series is not null ? QueryLevel.Series : study is not null ? QueryLevel.Study : QueryLevel.Patient;
        return parameters.Finish(ReturnAttributes.Of(level, given)) is { } failure ? (null, failure) : (parameters, null);
    }

    private Problem? ReadOne(string name, string value)
    {
        switch (name)
        {
            case "limit":
                if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int limit)) return Bad($"limit: '{value}' is no number", "Give a whole number, 0 or more.");
                _limit = limit;
                return null;
            case "offset":
                return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _offset) ? null : Bad($"offset: '{value}' is no number", "Give a whole number, 0 or more.");
            case "fuzzymatching":
                return ReadFuzzy(value);
            case "emptyvaluematching":
                if (value is not ("true" or "false")) return Bad($"{name}: '{value}' is neither true nor false", "Give true or false.");
                if (value == "true") Warnings.Add("The emptyvaluematching parameter is not supported. Empty values match everything.");
                return null;
            case "multiplevaluematching":
                return value is "true" or "false" ? null : Bad($"{name}: '{value}' is neither true nor false", "Give true or false.");
            case "includefield":
                return ReadInclude(value);
            case "orderby":
                return ReadOrder(value);
            case "accept":
                return null;
            default:
                return ReadKey(name, value);
        }
    }

    private Problem? ReadFuzzy(string value)
    {
        if (value is not ("true" or "false")) return Bad($"fuzzymatching: '{value}' is neither true nor false", "Give true or false.");
        _isFuzzy = value == "true" && _options.FuzzyMatching;
        if (value == "true" && !_options.FuzzyMatching) Warnings.Add("The fuzzymatching parameter is not supported. Only literal matching has been performed.");
        return null;
    }

    private Problem? ReadInclude(string value)
    {
        foreach (string one in value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (one == "all") _all = true;
            // An attribute inside a sequence is answered with its sequence.
            else if (AttributePath.TryParse(one, out Tag[] path)) _included.Add(path[0]);
            else if (_options.Strict) return Bad($"includefield: '{one}' is no attribute", "Name attributes by keyword (PatientName), by tag (00100010), or 'all'.");
            else Warnings.Add($"The includefield value {Printable(one)} is no attribute and was ignored.");
        }
        return null;
    }

    private Problem? ReadOrder(string value)
    {
        foreach (string one in value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            bool isDescending = one[0] == '-';
            if (!AttributePath.TryParse(isDescending ? one[1..] : one, out Tag[] path) || path.Length != 1)
                return Bad($"orderby: '{one}' is no attribute", "Name attributes by keyword or tag, separated by commas, with '-' before one for descending: orderby=-StudyDate,PatientName.");
            _order.Add((path[0], isDescending));
        }
        return null;
    }

    private Problem? ReadKey(string name, string value)
    {
        if (!AttributePath.TryParse(name, out Tag[] path))
        {
            if (_options.Strict) return Bad($"'{name}' is no attribute and no parameter of a search", "Name attributes by keyword (PatientName) or tag (00100010), within sequences by a path (00400275.00400009).");
            _unmatched.Add(Printable(name));
            return null;
        }
        VR vr = VROf(path[^1]);
        if ((vr == VR.SQ || vr.IsBulk()) && value.Length > 0) return Bad($"'{name}' has no value that can be matched: it is of VR {vr}", "Match attributes within a sequence by a path: 00400275.00400009.");
        foreach (string one in Split(value, vr))
        {
            if (path.Length > 1) Nested(path).Add((path, one));
            else Keys(path[0]).Add(one);
        }
        return null;
    }

    /// <summary>Lists are separated by commas where the VR has none in its values; by backslashes everywhere, as they stand in data sets.</summary>
    private static string[] Split(string value, VR vr) => vr is VR.UI or VR.CS or VR.IS or VR.DA or VR.TM or VR.DT or VR.AS ? value.Split(',') : [value];

    private List<string> Keys(Tag tag) => _keys.TryGetValue(tag, out List<string>? values) ? values : _keys[tag] = [];

    private List<(Tag[] Path, string Value)> Nested(Tag[] path) => _nested.TryGetValue(path[0], out List<(Tag[], string)>? values) ? values : _nested[path[0]] = [];

    private Problem? SetPath(Tag tag, string? uid)
    {
        if (uid is null) return null;
        if (uid.Length > 64 || uid.Any(c => c is not ('.' or (>= '0' and <= '9'))))
            return Bad("the path has something that is no UID", "UIDs are digits and points, at most 64 characters.");
        if (_keys.TryGetValue(tag, out List<string>? same) && same.Any(value => value.Length > 0 && value != uid))
            return Bad($"{tag} is given by the path and, differently, by the query", "Leave it out of the query.");
        _keys[tag] = [uid];
        return null;
    }

    private Problem? Finish(ReturnAttributes.Set defaults)
    {
        var returned = new SortedSet<Tag>(_included.Where(tag => tag != s_retrieveUrl && tag != s_specificCharacterSet));
        returned.UnionWith(_keys.Keys);
        returned.UnionWith(_nested.Keys);
        HashSet<Tag>? kept = returned.Count == 0 ? null : [.. defaults.Kept, .. returned];
        foreach ((Tag tag, _) in defaults.Tags) returned.Add(tag);
        if (_all) foreach ((Tag tag, _) in MatchingKeys.Returnable(_level)) returned.Add(tag);
        KeepEmpty = kept is null ? defaults.Kept : kept;

        var identifier = new DataSet(TransferSyntax.ExplicitVRLittleEndian);
        identifier.Set(s_specificCharacterSet, "ISO_IR 192", VR.CS);
        foreach (Tag tag in returned)
        {
            try
            {
                if (_nested.TryGetValue(tag, out List<(Tag[] Path, string Value)>? paths)) identifier.SetItems(tag, [Item(identifier, paths)]);
                else Set(identifier, tag, _keys.GetValueOrDefault(tag));
            }
            catch (ArgumentException)
            {
                return Bad($"a value of {tag} is not valid for its VR {VROf(tag)}", "See PS3.5 section 6.2 for what the VR allows.");
            }
        }
        var options = new MatchingOptions { Root = _level == QueryLevel.Patient ? QueryRoot.Patient : QueryRoot.Study, Relational = true, FuzzyNames = _isFuzzy };
        (SearchRequest? request, KeysFailure? failure) = MatchingKeys.Parse(identifier, _level, options);
        if (request is null) return Bad($"{failure!.Offending}: {failure.Comment}", "Correct the key's value (PS3.4 section C.2.2.2 has what may be matched how).");
        if (_isFuzzy && _keys.Any(key => key.Value.Any(value => value.Length > 0) && key.Key != s_patientName && VROf(key.Key) == VR.PN)) Warnings.Add("Fuzzy matching is done for PatientName only. Other names were matched literally.");
        _unmatched.AddRange(request.UnmatchedKeys.Select(Name));
        if (_unmatched.Count > 0 && _options.Strict)
            return Bad($"not matched at this level: {string.Join(", ", _unmatched)}", "Leave these keys out, or search another level; the conformance statement lists the keys of each.");
        if (_unmatched.Count > 0) Warnings.Add($"The following keys are not supported and were not matched: {string.Join(", ", _unmatched)}.");
        if (_included.Where(request.UnsupportedKeys.Contains).Select(Name).ToArray() is { Length: > 0 } missing) Warnings.Add($"The following attributes are not returned at this level: {string.Join(", ", missing)}.");
        if (_order.Count > 0)
        {
            (SearchRequest? ordered, KeysFailure? wrong) = MatchingKeys.OrderBy(request, _order);
            if (ordered is null) return Bad($"orderby {Name(wrong!.Offending)}: {wrong.Comment}", "Order by attributes of the results' level or above that stand outside sequences.");
            request = ordered;
        }
        Request = request with
        {
            Order = SearchOrder.Hierarchy,
            WithHeader = _all && _level == QueryLevel.Image,
            Offset = _offset,
            Limit = Math.Min(_limit ?? _options.ResultsMax, _options.ResultsMax),
        };
        return null;
    }

    private static void Set(DataSet identifier, Tag tag, List<string>? values)
    {
        VR vr = VROf(tag);
        if (vr == VR.SQ) identifier.SetItems(tag, []);
        else if (vr.IsBulk()) identifier.SetRaw(tag, vr, default);
        else identifier.Set(tag, values is null ? null : string.Join('\\', values), vr);
    }

    /// <summary>The one item that all paths into a sequence meet in (PS3.4 C.2.2.2.6).</summary>
    private static DataSet Item(DataSet around, List<(Tag[] Path, string Value)> paths, int depth = 1)
    {
        DataSet item = around.NewItem();
        foreach (IGrouping<Tag, (Tag[] Path, string Value)> here in paths.GroupBy(path => path.Path[depth]).OrderBy(group => group.Key))
        {
            if (here.All(path => path.Path.Length == depth + 1)) Set(item, here.Key, [.. here.Select(path => path.Value)]);
            else item.SetItems(here.Key, [Item(item, [.. here.Where(path => path.Path.Length > depth + 1)], depth + 1)]);
        }
        return item;
    }

    /// <summary>What is private or unknown is text, as far as a key is concerned.</summary>
    private static VR VROf(Tag tag) => DataDictionary.GetVR(tag) is not (VR.UN or VR.None) and VR vr ? vr : VR.LO;

    private static string Name(Tag tag) => DataDictionary.TryGet(tag, out DictionaryEntry entry) ? entry.Keyword : tag.ToHex();

    /// <summary>Names from a query go into a header: printable ASCII of a bounded length.</summary>
    private static string Printable(string text) => string.Concat(text.Take(64).Select(c => c is > ' ' and <= '~' and not ('"' or '\\') ? c : '?'));

    private static Problem Bad(string detail, string next) => Problem.BadRequest(detail, next);
}
