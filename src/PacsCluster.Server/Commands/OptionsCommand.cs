using PacsCluster.Server.Options;

namespace PacsCluster.Server.Commands;

/// <summary><c>options</c></summary>
internal static class OptionsCommand
{
    /// <summary>Prints the reference.</summary>
    public static int Run(bool markdown)
    {
        if (markdown)
        {
            Console.Out.Write(OptionsReference.ToMarkdown());
            return 0;
        }
        foreach (OptionDescription option in OptionsReference.All())
        {
            Console.Out.WriteLine(option.Default.Length == 0 ? option.Name : $"{option.Name} = {option.Default}");
            Console.Out.WriteLine("    " + option.Meaning);
        }
        return 0;
    }
}
