using PacsCluster.Dicom;

namespace PacsCluster.Web.Tests.Search;

/// <summary>One server with six studies, shared by the tests that only search.</summary>
public sealed class SearchPopulation : IAsyncLifetime
{
    internal WebServer Server { get; private set; } = null!;

    /// <summary>Studies 1.9.1 to 1.9.6, of 2024-01-01 to -06; study n has n series of 2 instances; odd ones have an MR series first, all others are CT.</summary>
    public async ValueTask InitializeAsync()
    {
        Server = await WebServer.StartAsync();
        string[] names = ["Smith^John", "Smithers^Ann", "Müller^Jürgen", "Yamada^Tarou=山田^太郎=やまだ^たろう", "O'Brien^Pat", "Schmidt^Hanna"];
        for (int study = 1; study <= 6; study++)
        {
            for (int series = 1; series <= study; series++)
            {
                for (int instance = 1; instance <= 2; instance++)
                {
                    DataSet dataSet = Synthetic.Instance($"1.9.{study}", $"1.9.{study}.{series}", $"1.9.{study}.{series}.{instance}",
                        ("PatientName", names[study - 1]), ("PatientID", $"P{study}"), ("PatientBirthDate", $"19{study}00101"), ("PatientSex", study % 2 == 0 ? "F" : "M"),
                        ("StudyDate", $"2024010{study}"), ("StudyTime", $"1{study}3000.25"), ("AccessionNumber", $"A{study}"), ("StudyID", "1"), ("ReferringPhysicianName", "Ref^Dr"),
                        ("StudyDescription", $"Study {study}, of a \"kind\""), ("Modality", series == 1 && study % 2 == 1 ? "MR" : "CT"), ("SeriesNumber", $"{10 - series}"),
                        ("SeriesDescription", $"series {series}"), ("InstanceNumber", $"{3 - instance}"), ("SliceThickness", "2.50"), ("PatientWeight", "71"));
                    DataSet item = dataSet.NewItem();
                    item.Set(Synthetic.Tag("ScheduledProcedureStepID"), $"SPS{study}{series}");
                    item.Set(Synthetic.Tag("RequestedProcedureID"), $"RP{study}");
                    dataSet.SetItems(Synthetic.Tag("RequestAttributesSequence"), [item]);
                    if (study == 6) dataSet.Set(Synthetic.Tag("TimezoneOffsetFromUTC"), "+0900");
                    await Server.StoreAsync(Synthetic.File(dataSet));
                }
            }
        }
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
