using System.Globalization;
using System.Text;

namespace PacsCluster.Catalog;

/// <summary>
/// Makes the SQL of one search, in either database's words (<see cref="SqlDialect"/>). For SQLite the plan is chosen here and not left to the database, because SQLite chooses by averages and a bound parameter hides
/// the value: the condition that leaves the fewest rows drives, its table comes first, the others are joined by their keys, and every other condition is written so
/// that no index can serve it. Where SQL can only say a superset (names by component, sequences by item, times of less precision), <see cref="RowCheck"/>
/// looks at each row again.
/// </summary>
internal sealed class SearchSql
{
    private readonly SearchRequest _request;
    private readonly SqlDialect _dialect;
    private readonly StringBuilder _where = new();
    private readonly List<object> _parameters = [];
    private readonly Condition? _driver;
    private readonly bool _isModalityRare;
    private readonly int? _candidates;

    private SearchSql(SearchRequest request, SqlDialect dialect, bool isModalityRare, int? candidates)
    {
        _request = request;
        _dialect = dialect;
        _driver = ChooseDriver(request);
        _isModalityRare = isModalityRare;
        _candidates = candidates;
    }

    /// <summary>Text and values. Columns: surrogate key, each return key's columns, each check's columns, then, with a header, encoding, bytes and transfer syntax.</summary>
    /// <param name="request">Request.</param>
    /// <param name="dialect">The database's words.</param>
    /// <param name="isModalityRare">Few series have the modalities asked for, so that they may drive.</param>
    /// <param name="candidates">Rows at most, of a search whose rows are looked at again; null for all.</param>
    public static (string Sql, List<object> Parameters) Build(SearchRequest request, SqlDialect dialect, bool isModalityRare = false, int? candidates = null)
    {
        var sql = new SearchSql(request, dialect, isModalityRare, candidates);
        return (sql.Build(), sql._parameters);
    }

    /// <summary>The condition that drives; null when none is indexed.</summary>
    public static Condition? ChooseDriver(SearchRequest request) =>
        request.Conditions.Where(c => c.Key.IsIndexed && c.Key.Level <= request.Level).Select(c => (Condition: c, Fraction: Fraction(c))).Where(c => c.Fraction < 0.7)
            .OrderBy(c => c.Fraction).Select(c => c.Condition).FirstOrDefault();

    /// <summary>One plan serves all values: few rows have the one that drives, whichever it is, or the first page is asked for of studies in the order of the index of their dates, by nothing but these.</summary>
    public static bool IsPlanForAllValues(SearchRequest request) =>
        ChooseDriver(request) is { Kind: MatchKind.Any } driver ? Fraction(driver) <= 1e-4
        : request.Level == QueryLevel.Study && request is { Offset: 0, Limit: not null, Sort.Count: 0 } && request.Conditions.All(c => c.Key.Tag.Value == 0x0008_0020 && c.Kind == MatchKind.Date);

    private string Build()
    {
        bool needsHeader = _request.NeedsHeader;
        foreach (Condition condition in _request.Conditions.Where(c => c.Key.Level <= _request.Level && !IsPartOfIdentifier(c))) And(ConditionSql(condition, ReferenceEquals(condition, _driver)));
        AddLowerLevels();
        string alias = SearchKey.Alias(_request.Level);
        string key = $"{alias}.{TableName(_request.Level)}_key";
        if (_request.Level == QueryLevel.Patient) And("p.merged_into IS NULL");
        if (_request.Order == SearchOrder.Stored && _request.AfterKey > 0) And($"{key} > {Parameter(_request.AfterKey)}");

        IEnumerable<string> columns = _request.Returns.SelectMany(r => r.Keys).Select(k => k.Sql).Concat(RowCheck.Columns(_request)).Prepend(key);
        if (needsHeader) columns = columns.Concat(["h.encoding", "h.bytes", "i.transfer_syntax_uid"]);
        var sql = new StringBuilder("SELECT ").AppendJoin(", ", columns).Append(" FROM ").Append(From());
        if (needsHeader) sql.Append(" LEFT JOIN header h ON h.instance_key = i.instance_key");
        if (_where.Length > 0) sql.Append(" WHERE ").Append(_where);
        sql.Append(OrderBy(key));
        if (_candidates is { } candidates) sql.Append(Limit(candidates));
        else if (_request.Limit is { } limit && !_request.Conditions.Any(c => c.NeedsCheck)) sql.Append(Limit((long)_request.Offset + limit));
        return sql.ToString();
    }

    /// <summary>The driver's table first, then down to the level asked for, then up to the highest level that anything needs.</summary>
    private string From()
    {
        QueryLevel top = _request.Conditions.Select(c => c.Key.Level).Concat(_request.Returns.SelectMany(r => r.Keys).Select(k => k.Level)).Append(_request.Level).Min();
        if (IsByStudy && top > QueryLevel.Study) top = QueryLevel.Study;
        if (_request.Order == SearchOrder.Hierarchy && _request.Sort.Count == 0 && top > QueryLevel.Series) top = QueryLevel.Series;
        foreach (SortKey sort in _request.Sort) top = (QueryLevel)Math.Min((int)top, (int)sort.Key.Level);
        // Without a driver the order's own index, where it has one, gives the rows in order, so that a page costs no more than its rows.
        QueryLevel first = _driver?.Key.Level ?? (_request.Sort.Count > 0 ? (_request.Sort[0].Key.IsIndexed ? _request.Sort[0].Key.Level : _request.Level) : IsByStudy && _request.Level > QueryLevel.Study ? QueryLevel.Study : _request.Level);
        var from = new StringBuilder($"{TableName(first)} {SearchKey.Alias(first)}");
        for (QueryLevel level = first + 1; level <= _request.Level; level++) from.Append($" {_dialect.Join} {TableName(level)} {SearchKey.Alias(level)} ON {Join(level)}");
        for (QueryLevel level = first - 1; level >= top; level--) from.Append($" {_dialect.Join} {TableName(level)} {SearchKey.Alias(level)} ON {Join(level + 1)}");
        return from.ToString();
    }

    /// <summary>What ties a level to the one above.</summary>
    private static string Join(QueryLevel level) => level switch
    {
        QueryLevel.Study => "s.patient_key = p.patient_key",
        QueryLevel.Series => "r.study_key = s.study_key",
        _ => "i.series_key = r.series_key",
    };

    /// <summary>The order begins with the study's date and time.</summary>
    private bool IsByStudy => _request.Sort.Count == 0 && (_request.Order == SearchOrder.NewestStudyFirst || (_request.Order == SearchOrder.Hierarchy && !IsWithinOneStudy));

    private bool IsWithinOneStudy => _request.IsOne(QueryLevel.Study) || (_request.Level == QueryLevel.Image && _request.IsOne(QueryLevel.Series));

    private string OrderBy(string key)
    {
        // Said in words, because the databases do not agree where NULL stands.
        const string newest = "s.study_date DESC NULLS LAST, s.study_time DESC NULLS LAST, s.study_key DESC";
        if (_request.Sort.Count > 0) return $" ORDER BY {string.Join(", ", _request.Sort.Select(s => (s.Key.VR == Dicom.VR.PN ? s.Key.MatchSql : s.Key.Sql) + (s.IsDescending ? " DESC NULLS LAST" : " NULLS FIRST")))}, {key}";
        switch (_request.Order)
        {
            case SearchOrder.None:
                return "";
            case SearchOrder.NewestStudyFirst when _request.Level >= QueryLevel.Study:
                return $" ORDER BY {newest}{(_request.Level == QueryLevel.Study ? "" : ", " + key)}";
            case SearchOrder.Hierarchy when _request.Level >= QueryLevel.Study:
                List<string> by = [];
                if (!IsWithinOneStudy) by.Add(newest);
                if (_request.Level >= QueryLevel.Series && !(_request.Level == QueryLevel.Image && _request.IsOne(QueryLevel.Series))) by.Add("r.series_number NULLS FIRST, r.series_key");
                if (_request.Level == QueryLevel.Image) by.Add("i.instance_number NULLS FIRST, i.instance_key");
                return " ORDER BY " + string.Join(", ", by.Count == 0 ? [key] : by);
            case SearchOrder.Number when _request.Level == QueryLevel.Series:
                return $" ORDER BY r.series_number NULLS FIRST, {key}";
            case SearchOrder.Number when _request.Level == QueryLevel.Image:
                return $" ORDER BY i.instance_number NULLS FIRST, {key}";
            default:
                return $" ORDER BY {key}";
        }
    }

    /// <summary>Keys of levels below: there is a series (and an instance) that has them all (C-48). A UID among them leads up from its index, others are
    /// looked at within each candidate.</summary>
    private void AddLowerLevels()
    {
        List<Condition> lower = [.. _request.Conditions.Where(c => c.Key.Level > _request.Level)];
        if (lower.Count == 0) return;
        QueryLevel top = _request.Level + 1;
        QueryLevel bottom = lower.Max(c => c.Key.Level);
        Condition? uid = lower.Where(c => c.Key.IsIndexed && c.Key.Special == SpecialKey.Uid).MaxBy(c => c.Key.Level);
        string conditions = string.Join(" AND ", lower.Select(c => $"({ConditionSql(c, isDriver: ReferenceEquals(c, uid))})"));
        QueryLevel first = uid?.Key.Level ?? top;
        var from = new StringBuilder($"{TableName(first)} {SearchKey.Alias(first)}");
        for (QueryLevel level = first - 1; level >= top; level--) from.Append($" {_dialect.Join} {TableName(level)} {SearchKey.Alias(level)} ON {Join(level + 1)}");
        for (QueryLevel level = first + 1; level <= bottom; level++) from.Append($" {_dialect.Join} {TableName(level)} {SearchKey.Alias(level)} ON {Join(level)}");
        string own = $"{SearchKey.Alias(_request.Level)}.{TableName(_request.Level)}_key";
        And(uid is null
            ? $"EXISTS (SELECT 1 FROM {from} WHERE {Join(top)} AND {conditions})"
            : $"{own} IN (SELECT {SearchKey.Alias(top)}.{TableName(_request.Level)}_key FROM {from} WHERE {conditions})");
    }

    private string ConditionSql(Condition condition, bool isDriver)
    {
        SearchKey key = condition.Key;
        switch (key.Special)
        {
            case SpecialKey.PatientId or SpecialKey.OtherPatientId:
                return $"{(isDriver ? "p.patient_key" : _dialect.Unindexed("p.patient_key"))} IN ({IdentifierSql(condition)})";
            case SpecialKey.ModalitiesInStudy when condition.Kind == MatchKind.Wildcard:
                return $"EXISTS (SELECT 1 FROM series m WHERE m.study_key = s.study_key AND {Or(condition.Values.Select(v => TextSql("m.modality", v, isWildcard: true)))})";
            case SpecialKey.ModalitiesInStudy when _isModalityRare:
                return $"s.study_key IN (SELECT m.study_key FROM series m WHERE {Or(condition.Values.Select(v => TextSql("m.modality", v, isWildcard: false)))})";
            case SpecialKey.ModalitiesInStudy:
                return Or(condition.Values.Select(v => ListedSql(key.MatchSql, v)));
        }
        if (condition.Kind == MatchKind.Fuzzy) return Or(condition.Words.Select(words => FuzzySql(words, isDriver)));
        string column = isDriver ? key.MatchSql : _dialect.Unindexed(key.MatchSql);
        return condition.Kind switch
        {
            MatchKind.Any when key.IsMulti => Or(condition.Values.Select(v => MultiSql(key, v))),
            MatchKind.Any => AnySql(key, column, condition.Values),
            MatchKind.Wildcard when key.IsMulti => Or(condition.Values.Select(v => $"{column} LIKE {Parameter("%" + Wildcard.ToLike(v) + "%")} ESCAPE '{Wildcard.Escape}'")),
            MatchKind.Wildcard => Or(condition.Values.Select(v => TextSql(column, v, isWildcard: true))),
            MatchKind.Name => Or(condition.Names.Select(n => NameSql(key, column, n, isDriver))),
            MatchKind.Date => Or(condition.Ranges.Select(r => DateSql(key, column, r))),
            MatchKind.Combined => DateSql(key, column, condition.Ranges[0]),
            MatchKind.Time => Or(condition.Ranges.Select(r => TimeSql(key, column, r))),
            _ => Or(condition.Ranges.Select(r => DateTimeSql(key, column, r))),
        };
    }

    /// <summary>An issuer that is looked at together with its Patient ID: a survivor of a merge may have another.</summary>
    private bool IsPartOfIdentifier(Condition condition) => condition.Key.Special == SpecialKey.Issuer
        ? _request.Conditions.Any(c => c.Key.Special == SpecialKey.PatientId)
        : IsOtherIssuer(condition) && _request.Conditions.Any(c => c.Key.Special == SpecialKey.OtherPatientId && c.Key.IsInSequence);

    private static bool IsOtherIssuer(Condition condition) => condition.Key.Sequence.Value == 0x0010_1002 && condition.Key.Tag.Value == 0x0010_0021;

    /// <summary>Patients by identifier: a merged one's leads to its survivor. An issuer in the same identifier narrows the same row.</summary>
    private string IdentifierSql(Condition condition)
    {
        bool isPrimary = condition.Key.Special == SpecialKey.PatientId;
        string ids = Or(condition.Values.Select(v => TextSql("n.patient_id", v, condition.Kind == MatchKind.Wildcard)));
        string issuer = "";
        foreach (Condition other in _request.Conditions)
        {
            if (isPrimary ? other.Key.Special == SpecialKey.Issuer : condition.Key.IsInSequence && IsOtherIssuer(other)) issuer = " AND " + Or(other.Values.Select(v => TextSql(_dialect.Unindexed("n.issuer"), v, other.Kind == MatchKind.Wildcard)));
        }
        return $"SELECT coalesce(q.merged_into, q.patient_key) FROM patient_identifier n {_dialect.Join} patient q ON q.patient_key = n.patient_key "
            + $"WHERE {ids} AND {_dialect.Unindexed("n.is_primary")} = {(isPrimary ? 1 : 0)}{issuer}";
    }

    private string AnySql(SearchKey key, string column, IReadOnlyList<string> values)
    {
        if (values.Count == 1) return $"{column} = {Value(key, values[0])}";
        if (_dialect.TakesArrays) return $"{column} = ANY({Parameter(key.IsInteger ? values.Select(Number).ToArray() : values.ToArray())})";
        // Few lengths of lists, so that few texts serve all: the rest repeats the last value.
        int marks = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)values.Count);
        return $"{column} IN ({string.Join(", ", Enumerable.Range(0, marks).Select(i => Value(key, values[Math.Min(i, values.Count - 1)])))})";
    }

    private static long Number(string value) => Column.TryParseInteger(value, out long number) ? number : throw new InvalidOperationException("an integer key's values were checked when it was read");

    private string Value(SearchKey key, string value) => key.IsInteger ? Parameter(Number(value)) : Parameter(value);

    private string MultiSql(SearchKey key, string value) =>
        key.IsInteger ? $"{key.MatchSql} = {Value(key, value)}" : $"'\\' || {key.MatchSql} || '\\' LIKE {Parameter("%\\" + Wildcard.Literal(value) + "\\%")} ESCAPE '{Wildcard.Escape}'";

    /// <summary>One of the values of a column, in words that PostgreSQL can estimate by the column's most common values.</summary>
    private string ListedSql(string column, string value)
    {
        string literal = Wildcard.Literal(value);
        string Like(string pattern) => $"{column} LIKE {Parameter(pattern)} ESCAPE '{Wildcard.Escape}'";
        return $"{column} = {Parameter(value)} OR {Like(literal + "\\%")} OR {Like("%\\" + literal)} OR {Like("%\\" + literal + "\\%")}";
    }

    /// <summary>One text column against one value: what stands before the first wildcard is a range that an index can serve.</summary>
    private string TextSql(string column, string value, bool isWildcard)
    {
        if (!isWildcard || !Wildcard.IsIn(value)) return $"{column} = {Parameter(value)}";
        string prefix = Wildcard.Prefix(value);
        string? after = Wildcard.AfterPrefix(prefix);
        string range = prefix.Length == 0 || after is null ? "" : $"{column} >= {Parameter(prefix)} AND {column} < {Parameter(after)}";
        if (range.Length > 0 && value.Length == prefix.Length + 1 && value[^1] == '*') return range;
        string like = $"{column} LIKE {Parameter(Wildcard.ToLike(value))} ESCAPE '{Wildcard.Escape}'";
        return range.Length == 0 ? like : $"{range} AND {like}";
    }

    private string NameSql(SearchKey key, string column, NamePattern name, bool isDriver)
    {
        bool isPatientName = key.Tag.Value == 0x0010_0010;
        List<string> groups = [];
        for (int group = 0; group < 3; group++)
        {
            string pattern = name.Groups[name.IsAnyGroup ? 0 : group];
            if (pattern.Length == 0) continue;
            // Components are told apart afterwards: what stands before the first wildcard is enough here. "SM^*" also means "SM" alone.
            string prefix = pattern.Contains('^') ? Wildcard.Prefix(pattern).TrimEnd('^') : Wildcard.Prefix(pattern);
            if (key.IsMulti || (group > 0 && !isPatientName)) groups.Add($"{column} LIKE {Parameter("%" + Wildcard.Literal(prefix) + "%")} ESCAPE '{Wildcard.Escape}'");
            else if (group == 0) groups.Add(AlphabeticSql(column, pattern, prefix));
            else groups.Add(PrefixSql(GroupColumn(group == 1 ? "p.patient_name_ideographic" : "p.patient_name_phonetic"), pattern, prefix));
        }
        return Or(groups);

        string GroupColumn(string name) => isDriver ? name : _dialect.Unindexed(name);
    }

    /// <summary>The longest word leads; the others are looked up within its patients.</summary>
    private string FuzzySql(string[] words, bool isDriver)
    {
        string[] all = [.. words.OrderByDescending(w => w.Length).Select((word, i) => i == 0
            ? $"{(isDriver ? "p.patient_key" : _dialect.Unindexed("p.patient_key"))} IN (SELECT w.patient_key FROM patient_name_word w WHERE {PrefixSql("w.word", word + "*", word)} "
                + $"UNION SELECT w.patient_key FROM patient_name_word w WHERE w.sound = {Parameter(NameWords.SoundOf(word))})"
            : $"EXISTS (SELECT 1 FROM patient_name_word w WHERE w.patient_key = p.patient_key AND ({PrefixSql("w.word", word + "*", word)} OR w.sound = {Parameter(NameWords.SoundOf(word))}))")];
        return string.Join(" AND ", all);
    }

    /// <summary>The folded column begins with the alphabetic group; the others follow behind <c>=</c>.</summary>
    private string AlphabeticSql(string column, string pattern, string prefix)
    {
        bool isLiteral = prefix.Length == pattern.Length;
        return isLiteral
            ? $"({column} = {Parameter(prefix)} OR {column} >= {Parameter(prefix + "=")} AND {column} < {Parameter(prefix + ">")})"
            : PrefixSql(column, pattern, prefix);
    }

    private string PrefixSql(string column, string pattern, string prefix)
    {
        if (prefix.Length > 0 && Wildcard.AfterPrefix(prefix) is { } after) return $"{column} >= {Parameter(prefix)} AND {column} < {Parameter(after)}";
        // Components that say nothing may be missing at the end; a wildcard before them runs over the rest here, which the check of each row puts right.
        return $"{column} LIKE {Parameter(Wildcard.ToLike(pattern.TrimEnd(['^', '*'])) + "%")} ESCAPE '{Wildcard.Escape}'";
    }

    private string DateSql(SearchKey key, string column, ValueRange range)
    {
        if (key.IsInSequence) return $"{column} IS NOT NULL";
        if (range.DateLow == range.DateHigh) return $"{column} = {Parameter(range.DateLow!)}";
        return $"{column} >= {Parameter(range.DateLow ?? "0")} AND {column} <= {Parameter(range.DateHigh ?? "99991231")}";
    }

    private string TimeSql(SearchKey key, string column, ValueRange range)
    {
        const long hour = 3600L * 1_000_000;
        if (key.IsInSequence) return $"{column} IS NOT NULL";
        string low = (range.Low == long.MinValue ? 0 : range.Low / hour).ToString("D2", CultureInfo.InvariantCulture);
        string high = (range.High == long.MaxValue ? 24 : (range.High + hour - 1) / hour).ToString("D2", CultureInfo.InvariantCulture);
        return $"{column} >= {Parameter(low)} AND {column} < {Parameter(high)}";
    }

    private string DateTimeSql(SearchKey key, string column, ValueRange range)
    {
        if (key.IsInSequence) return $"{column} IS NOT NULL";
        string low = range.Low == long.MinValue ? "0" : Moments.Year(range.Low, -1);
        string high = range.High == long.MaxValue ? "9999" : Moments.Year(range.High, 1);
        return $"{column} >= {Parameter(low)} AND {column} < {Parameter(high + ":")}";
    }

    /// <summary>Which part of its table a condition leaves, guessed from its shape.</summary>
    private static double Fraction(Condition condition)
    {
        switch (condition.Kind)
        {
            case MatchKind.Any:
                double one = condition.Key.Tag.Value switch
                {
                    0x0008_0018 => 1e-9,
                    0x0020_000E => 1e-8,
                    0x0020_000D => 1e-7,
                    // Often a running number of each modality, or just 1.
                    0x0020_0010 => 1e-3,
                    _ => 1e-6,
                };
                return one * condition.Values.Count;
            case MatchKind.Wildcard:
                return condition.Values.Sum(v => Math.Max(1e-5, Math.Pow(10, -Wildcard.Prefix(v).Length)));
            case MatchKind.Name:
                // Letters of names are far from even: a third of a digit's worth each after the first.
                return condition.Names.Sum(n => n.Groups.Where(g => g.Length > 0).Sum(g => Wildcard.Prefix(g).TrimEnd('^').Length switch
                {
                    0 => 1,
                    var length => Math.Max(1e-5, 0.1 * Math.Pow(10, -0.6 * (length - 1))),
                }));
            case MatchKind.Fuzzy:
                return condition.Words.Sum(words => Math.Max(1e-4, 0.05 * Math.Pow(10, -0.5 * (words.Max(w => w.Length) - 1))));
            case MatchKind.Date or MatchKind.Combined:
                double days = condition.Key.Level == QueryLevel.Patient ? 36_500 : 3650;
                return condition.Ranges.Sum(r => r.DateLow is null || r.DateHigh is null ? 0.5 : Math.Min(1, Math.Max(1, Days(r)) / days));
            default:
                return 1;
        }
    }

    private static double Days(ValueRange range) =>
        (DateTime.ParseExact(range.DateHigh!, "yyyyMMdd", CultureInfo.InvariantCulture) - DateTime.ParseExact(range.DateLow!, "yyyyMMdd", CultureInfo.InvariantCulture)).TotalDays + 1;

    private static string TableName(QueryLevel level) => level switch
    {
        QueryLevel.Patient => "patient",
        QueryLevel.Study => "study",
        QueryLevel.Series => "series",
        _ => "instance",
    };

    private string Limit(long rows) => " LIMIT " + (_dialect.IsPlannedByLimit ? rows.ToString(CultureInfo.InvariantCulture) : Parameter(rows));

    private string Parameter(object value)
    {
        _parameters.Add(value);
        return _dialect.Parameter(_parameters.Count);
    }

    private void And(string condition) => _where.Append(_where.Length == 0 ? "(" : " AND (").Append(condition).Append(')');

    private static string Or(IEnumerable<string> alternatives)
    {
        string[] all = [.. alternatives];
        return all.Length == 1 ? all[0] : "(" + string.Join(" OR ", all.Select(a => $"({a})")) + ")";
    }
}
