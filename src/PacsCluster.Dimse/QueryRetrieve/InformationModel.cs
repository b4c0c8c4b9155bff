using PacsCluster.Catalog;

namespace PacsCluster.Dimse;

/// <summary>What a Query/Retrieve SOP class asks for.</summary>
internal enum QueryRetrieveVerb
{
    Find,
    Move,
    Get,
}

/// <summary>A Query/Retrieve SOP class (PS3.4 table C.6-1): an information model and a verb.</summary>
/// <param name="SopClassUid">SOP class.</param>
/// <param name="Root">Information model.</param>
/// <param name="Verb">Operation.</param>
internal sealed record InformationModel(string SopClassUid, QueryRoot Root, QueryRetrieveVerb Verb)
{
    private const string Prefix = "1.2.840.10008.5.1.4.1.2.";

    /// <summary>Those that we serve. The retired Patient/Study Only model is served as Patient Root: its levels are the upper two of it.</summary>
    public static IReadOnlyList<InformationModel> All { get; } =
    [
        new(Prefix + "1.1", QueryRoot.Patient, QueryRetrieveVerb.Find),
        new(Prefix + "1.2", QueryRoot.Patient, QueryRetrieveVerb.Move),
        new(Prefix + "1.3", QueryRoot.Patient, QueryRetrieveVerb.Get),
        new(Prefix + "2.1", QueryRoot.Study, QueryRetrieveVerb.Find),
        new(Prefix + "2.2", QueryRoot.Study, QueryRetrieveVerb.Move),
        new(Prefix + "2.3", QueryRoot.Study, QueryRetrieveVerb.Get),
        new(Prefix + "3.1", QueryRoot.Patient, QueryRetrieveVerb.Find),
        new(Prefix + "3.2", QueryRoot.Patient, QueryRetrieveVerb.Move),
        new(Prefix + "3.3", QueryRoot.Patient, QueryRetrieveVerb.Get),
    ];

    /// <summary>The model of a SOP class; null when it is none of ours.</summary>
    public static InformationModel? Find(string? sopClassUid) => All.FirstOrDefault(model => model.SopClassUid == sopClassUid);

    /// <summary>Answers SOP class extended negotiation (PS3.4 tables C.5-2 and C.5-4, C-14). C-FIND: relational queries and combined date-time
    /// matching as proposed; no fuzzy person names, no time zone adjustment, no conversion of multi-frame images, nothing newer. C-MOVE and C-GET:
    /// relational retrieval as proposed, no conversion. As many bytes as were proposed; what is not a 1 is not supported.</summary>
    public ReadOnlyMemory<byte>? AnswerExtended(ReadOnlyMemory<byte> proposed)
    {
        if (proposed.IsEmpty) return null;
        byte[] answer = new byte[Math.Min(proposed.Length, 16)];
        int supported = Verb == QueryRetrieveVerb.Find ? 2 : 1;
        for (int i = 0; i < answer.Length && i < supported; i++) answer[i] = proposed.Span[i] == 1 ? (byte)1 : (byte)0;
        return answer;
    }

    /// <summary>What was agreed, from the bytes that we answered with; nothing when there was no such negotiation.</summary>
    public MatchingOptions Options(ReadOnlyMemory<byte> agreed) => new()
    {
        Root = Root,
        Relational = agreed.Length > 0 && agreed.Span[0] == 1,
        CombinedDateTime = Verb == QueryRetrieveVerb.Find && agreed.Length > 1 && agreed.Span[1] == 1,
    };
}
