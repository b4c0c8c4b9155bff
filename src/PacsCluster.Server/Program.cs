Console.WriteLine("PacsCluster");
