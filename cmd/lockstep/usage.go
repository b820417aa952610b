package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageErrorf is an error of who typed the command.
func usageErrorf(cmd *cobra.Command, format string, args ...any) error {
	return exitErrorf(codeUsage, format+"\nSee \"%s --help\".", append(args, cmd.CommandPath())...)
}

// group makes cmd a command that only has sub-commands: alone it shows its help.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return cmd.Help()
	}
	return cmd
}

func unknownCommand(cmd *cobra.Command, word string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return usageErrorf(cmd, "unknown command %q%s", cmd.CommandPath()+" "+word, didYouMean(word, names, ""))
}

// flagError makes an error of a flag one that names the flag that was meant.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if word := cmd.Flags().Arg(0); word != "" && cmd.HasSubCommands() {
		return unknownCommand(cmd, word) // its flags are unknown because it is
	}
	hint := ""
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		hint = didYouMean(unknown.GetSpecifiedName(), names, "--")
	}
	return usageErrorf(cmd, "%w%s", err, hint)
}

// wants checks that a command gets one argument for each of the names, which stand in its usage. A last name that ends
// with "..." takes one or more, one in brackets none or one.
func wants(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		last := ""
		if len(names) > 0 {
			last = names[len(names)-1]
		}
		needed := len(names)
		if strings.HasPrefix(last, "[") {
			needed--
		}
		switch {
		case len(args) < needed:
			return usageErrorf(cmd, "%s is missing", strings.TrimSuffix(names[len(args)], "..."))
		case len(args) > len(names) && !strings.HasSuffix(last, "..."):
			return usageErrorf(cmd, "unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// didYouMean proposes the word that was probably meant, "" if none is near.
func didYouMean(word string, words []string, prefix string) string {
	best, least := "", len(word)/3+2
	for _, w := range words {
		if d := distance(strings.ToLower(word), w); d < least {
			best, least = w, d
		}
	}
	if best == "" {
		for _, w := range words {
			if len(word) >= 2 && strings.HasPrefix(w, word) {
				best = w
				break
			}
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", prefix+best)
}

// distance is the number of letters to insert, delete or replace to turn a into b (Levenshtein's distance).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
