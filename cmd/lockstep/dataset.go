package main

import "github.com/spf13/cobra"

func (a *app) datasetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dataset",
		Short: "Look at the data that jobs read, and put it into the cluster",
		Long:  `Commands for the data that jobs read.`,
		Example: `  lockstep dataset inspect examples/digits-mlp.yaml
  lockstep dataset inspect mnist.npz --png digits.png
  lockstep dataset push digits examples/data/digits.csv.gz`,
	}
	cmd.AddCommand(a.inspectCommand(), a.pushCommand(), a.datasetListCommand(), a.datasetDeleteCommand())
	return group(cmd)
}
