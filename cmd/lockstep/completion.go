package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/client"
)

var shells = []string{"bash", "fish", "powershell", "zsh"}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands in a shell",
		Long:  `Prints a script that lets a shell (` + strings.Join(shells, ", ") + `) complete commands, flags and the names of jobs.`,
		Example: `  source <(lockstep completion bash)
  lockstep completion zsh > "${fpath[1]}/_lockstep"
  lockstep completion fish > ~/.config/fish/completions/lockstep.fish`,
		Args:      wants("SHELL"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			case "zsh":
				return root.GenZshCompletion(a.out)
			}
			return usageErrorf(cmd, "unknown shell %q: want one of %s", args[0], strings.Join(shells, ", "))
		},
	}
}

const completionTimeout = 2 * time.Second // people wait for it with a finger on the key

// completeJobs completes the names and ids of jobs.
func (a *app) completeJobs(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(cmd, prefix, func(jobs []*lockstepv1.Job) (names []string) {
		for _, j := range jobs {
			names = append(names, j.Name, j.Id)
		}
		return names
	})
}

// complete completes what the cluster's jobs give to choose from.
func (a *app) complete(cmd *cobra.Command, prefix string, choices func([]*lockstepv1.Job) []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if a.environment(cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	err := a.connected(ctx, func(ctx context.Context, c *client.Client) error {
		r, err := c.ListJobs(ctx, &lockstepv1.ListJobsRequest{})
		names = choices(r.GetJobs())
		return err
	})
	if err != nil {
		cobra.CompErrorln(err.Error())
		return nil, cobra.ShellCompDirectiveError
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(n string) bool { return !strings.HasPrefix(n, prefix) })
	return names, cobra.ShellCompDirectiveNoFileComp
}

// helpCommand is cobra's, but one that says no to what it does not know.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show the help of a command",
		Example: `  lockstep help job submit`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err != nil {
				return usageErrorf(cmd.Root(), "%w", err)
			}
			if len(rest) > 0 {
				return unknownCommand(of, rest[0])
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}
