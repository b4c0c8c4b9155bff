using PacsCluster.Catalog;

namespace PacsCluster.Dimse.Tests.QueryRetrieve;

public sealed class InformationModelTests
{
    [Theory]
    [InlineData("1.2.840.10008.5.1.4.1.2.2.1", "01", "01")]
    [InlineData("1.2.840.10008.5.1.4.1.2.2.1", "00", "00")]
    [InlineData("1.2.840.10008.5.1.4.1.2.2.1", "010101", "010100")]
    [InlineData("1.2.840.10008.5.1.4.1.2.1.1", "0101010101", "0101000000")]
    [InlineData("1.2.840.10008.5.1.4.1.2.2.2", "0101", "0100")]
    [InlineData("1.2.840.10008.5.1.4.1.2.2.3", "01", "01")]
    [InlineData("1.2.840.10008.5.1.4.1.2.2.1", "FF", "00")]
    public void C_14_Extended_negotiation_agrees_to_what_is_supported_only(string sopClass, string proposed, string answer)
    {
        InformationModel model = InformationModel.Find(sopClass)!;
        Assert.Equal(answer, Convert.ToHexString(model.AnswerExtended(Convert.FromHexString(proposed))!.Value.Span));
    }

    [Fact]
    public void C_14_Without_negotiation_nothing_is_relational()
    {
        MatchingOptions options = InformationModel.Find("1.2.840.10008.5.1.4.1.2.1.1")!.Options(default);
        Assert.Equal((QueryRoot.Patient, false, false), (options.Root, options.Relational, options.CombinedDateTime));
        Assert.Null(InformationModel.Find("1.2.840.10008.5.1.4.1.2.2.1")!.AnswerExtended(default));
    }

    [Fact]
    public void C_43_Relational_and_combined_date_time_are_options_of_the_matching()
    {
        MatchingOptions options = InformationModel.Find("1.2.840.10008.5.1.4.1.2.2.1")!.Options(new byte[] { 1, 1, 0 });
        Assert.Equal((QueryRoot.Study, true, true), (options.Root, options.Relational, options.CombinedDateTime));
    }

    [Fact]
    public void Options_out_of_range_are_all_listed()
    {
        var wrong = new QueryRetrieveOptions { FindMatchesMax = 0, ReadAheadInstances = 99 };
        Assert.Equal(2, wrong.Validate("Dimse:QueryRetrieve").Count);
        Assert.Empty(new QueryRetrieveOptions().Validate("Dimse:QueryRetrieve"));
    }
}
