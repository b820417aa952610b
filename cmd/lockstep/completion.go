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

// completeWorkers completes the ids of workers.
func (a *app) completeWorkers(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.ask(cmd, prefix, func(ctx context.Context, c *client.Client) (names []string, err error) {
		r, err := c.ListWorkers(ctx, &lockstepv1.ListWorkersRequest{})
		for _, w := range r.GetWorkers() {
			names = append(names, w.Worker.Id)
		}
		return names, err
	})
}

// completeCoordinators completes the ids of coordinators.
func (a *app) completeCoordinators(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.ask(cmd, prefix, func(ctx context.Context, c *client.Client) (names []string, err error) {
		r, err := c.GetStatus(ctx, &lockstepv1.GetStatusRequest{})
		for _, x := range r.GetCoordinators() {
			names = append(names, x.Coordinator.Id)
		}
		return names, err
	})
}

// completeDatasets completes the names of datasets that were pushed.
func (a *app) completeDatasets(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.ask(cmd, prefix, func(ctx context.Context, c *client.Client) (names []string, err error) {
		r, err := c.ListDatasets(ctx, &lockstepv1.ListDatasetsRequest{})
		for _, d := range r.GetDatasets() {
			names = append(names, d.Name)
		}
		return names, err
	})
}

// complete completes what the cluster's jobs give to choose from.
func (a *app) complete(cmd *cobra.Command, prefix string, choices func([]*lockstepv1.Job) []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.ask(cmd, prefix, func(ctx context.Context, c *client.Client) ([]string, error) {
		r, err := c.ListJobs(ctx, &lockstepv1.ListJobsRequest{})
		return choices(r.GetJobs()), err
	})
}

// ask completes what the cluster answers with.
func (a *app) ask(cmd *cobra.Command, prefix string, names func(context.Context, *client.Client) ([]string, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	if a.environment(cmd) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	var all []string
	err := a.connected(ctx, func(ctx context.Context, c *client.Client) (err error) {
		all, err = names(ctx, c)
		return err
	})
	if err != nil {
		cobra.CompErrorln(err.Error())
		return nil, cobra.ShellCompDirectiveError
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(n string) bool { return !strings.HasPrefix(n, prefix) })
	return all, cobra.ShellCompDirectiveNoFileComp
}

// oneOf completes a flag's value with these.
func oneOf(cmd *cobra.Command, flag string, values ...string) {
	must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
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
