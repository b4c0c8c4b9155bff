using PacsCluster.Dicom.Network;

namespace PacsCluster.Dicom.Tests.Network;

public sealed class CommandSetTests
{
    [Fact]
    public void PS3_7_Section_6_3_1_EchoRequestIsImplicitLittleEndianWithItsGroupLength()
    {
        byte[] bytes = new CommandSet { Field = CommandField.CEchoRequest, MessageId = 1, AffectedSopClassUid = WellKnownUids.Verification }.ToArray();
        byte[] expected =
        [
            0, 0, 0, 0, 4, 0, 0, 0, 56, 0, 0, 0,
            0, 0, 2, 0, 18, 0, 0, 0, .. "1.2.840.10008.1.1\0"u8,
            0, 0, 0, 1, 2, 0, 0, 0, 0x30, 0,
            0, 0, 0x10, 1, 2, 0, 0, 0, 1, 0,
            0, 0, 0, 8, 2, 0, 0, 0, 1, 1,
        ];
        Assert.Equal(expected, bytes);
    }

    [Fact]
    public void CommandSetsRoundTrip()
    {
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            CommandSet command = AnyCommand(random);
            byte[] bytes = command.ToArray();
            Assert.Equal(0, bytes.Length & 1);
            Assert.Equal(bytes, CommandSet.Read(bytes).ToArray());
            Assert.Equal(command.Field, CommandSet.Read(bytes).Field);
            Assert.Equal(command.ErrorComment, CommandSet.Read(bytes).ErrorComment);
        }
    }

    [Fact]
    public void C_21_GroupLengthIsNotBelievedAndUnknownElementsAreSkipped()
    {
        byte[] bytes = new CommandSet { Field = CommandField.CEchoRequest, MessageId = 9 }.ToArray();
        bytes[8] = 0xFF;
        byte[] more = [.. bytes, 0, 0, 0x34, 0x12, 2, 0, 0, 0, 1, 2, 8, 0, 0, 0, 2, 0, 0, 0, 1, 2];
        Assert.Equal((ushort)9, CommandSet.Read(more).MessageId);
        Assert.Equal((ushort)9, CommandSet.Read(bytes.AsSpan(12)).MessageId);
    }

    [Fact]
    public void C_31_ErrorCommentIsCutTo64Characters()
    {
        byte[] bytes = new CommandSet { Field = CommandField.CStoreResponse, Status = 0xA700, ErrorComment = new string('x', 100) }.ToArray();
        Assert.Equal(64, CommandSet.Read(bytes).ErrorComment!.Length);
    }

    [Fact]
    public void ResponseRepeatsWhatItMust()
    {
        var request = new CommandSet
        {
            Field = CommandField.CStoreRequest, MessageId = 77, AffectedSopClassUid = "1.2", AffectedSopInstanceUid = "1.3", HasDataSet = true,
        };
        CommandSet response = request.Respond(DimseStatus.OutOfResources);
        Assert.Equal(CommandField.CStoreResponse, response.Field);
        Assert.Equal((ushort)77, response.MessageIdBeingRespondedTo);
        Assert.Null(response.MessageId);
        Assert.Equal(("1.2", "1.3"), (response.AffectedSopClassUid, response.AffectedSopInstanceUid));
        Assert.False(response.HasDataSet);
    }

    [Fact]
    public void MutatedCommandSetsAreReadOrRefusedAndNothingElse()
    {
        var random = new Random(2);
        for (int i = 0; i < 50_000; i++)
        {
            byte[] bytes = AnyCommand(random).ToArray();
            for (int j = random.Next(1, 6); j > 0; j--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                CommandSet.Read(bytes.AsSpan(0, random.Next(bytes.Length + 1))).ToArray();
            }
            catch (DicomFormatException)
            {
                // Refused with a reason.
            }
        }
    }

    [Theory]
    [InlineData(DimseService.Storage, 0x0000, StatusCategory.Success)]
    [InlineData(DimseService.Storage, 0xA700, StatusCategory.Failure)]
    [InlineData(DimseService.Storage, 0xA7FF, StatusCategory.Failure)]
    [InlineData(DimseService.Storage, 0xB000, StatusCategory.Warning)]
    [InlineData(DimseService.Storage, 0xC123, StatusCategory.Failure)]
    [InlineData(DimseService.Find, 0xFF01, StatusCategory.Pending)]
    [InlineData(DimseService.Find, 0xFE00, StatusCategory.Cancel)]
    [InlineData(DimseService.Move, 0xA801, StatusCategory.Failure)]
    [InlineData(DimseService.Move, 0xB000, StatusCategory.Warning)]
    [InlineData(DimseService.General, 0x0116, StatusCategory.Warning)]
    [InlineData(DimseService.General, 0x0211, StatusCategory.Failure)]
    [InlineData(DimseService.General, 0x1234, StatusCategory.Failure)]
    public void PS3_4_StatusesHaveTheirCategory(DimseService service, int code, StatusCategory category)
    {
        StatusMeaning meaning = DimseStatus.Explain(service, (ushort)code);
        Assert.Equal((ushort)code, meaning.Code);
        Assert.Equal(category, meaning.Category);
        Assert.Equal(category, DimseStatus.Categorize((ushort)code));
    }

    private static CommandSet AnyCommand(Random random)
    {
        CommandField[] fields = Enum.GetValues<CommandField>();
        return new CommandSet
        {
            Field = fields[random.Next(fields.Length)],
            MessageId = Number(),
            MessageIdBeingRespondedTo = Number(),
            HasDataSet = random.Next(2) == 0,
            Status = Number(),
            AffectedSopClassUid = Text(),
            AffectedSopInstanceUid = Text(),
            RequestedSopClassUid = Text(),
            RequestedSopInstanceUid = Text(),
            Priority = random.Next(2) == 0 ? null : Priority.High,
            MoveDestination = Text(),
            MoveOriginatorAETitle = Text(),
            MoveOriginatorMessageId = Number(),
            Remaining = Number(),
            Completed = Number(),
            Failed = Number(),
            Warning = Number(),
            OffendingElements = random.Next(2) == 0 ? null : [new Tag(0x00100010), new Tag(0x00080018)],
            ErrorComment = Text(),
            ErrorId = Number(),
            EventTypeId = Number(),
            ActionTypeId = Number(),
            AttributeIdentifiers = random.Next(2) == 0 ? null : [new Tag(0x00100020)],
        };

        ushort? Number() => random.Next(2) == 0 ? null : (ushort)random.Next(65536);
        string? Text() => random.Next(2) == 0 ? null : new string((char)('0' + random.Next(10)), random.Next(1, 64));
    }
}
