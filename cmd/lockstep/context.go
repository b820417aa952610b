package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lockstep/internal/certs"
	"lockstep/internal/console"
	"lockstep/internal/contexts"
	"lockstep/internal/flagenv"
)

func (a *app) contextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Remember clusters by name, and which of them is meant",
		Long: `Commands for contexts: names for clusters. The current one is spoken to where neither --addr nor --context nor
` + flagenv.Name(flagAddress) + ` says otherwise; without any, 127.0.0.1:7070 is. They are kept in lockstep/config.yaml in the
user's configuration directory, or in the file that ` + contexts.Environment + ` names.`,
		Example: `  lockstep context create lab --addr 10.0.0.1,10.0.0.2,10.0.0.3
  lockstep context use lab`,
	}
	cmd.AddCommand(a.contextListCommand(), a.contextUseCommand(), a.contextCreateCommand(), a.contextDeleteCommand())
	return group(cmd)
}

// contextView is a context as it is printed.
type contextView struct {
	contexts.Context
	Current bool `json:"current"`
	Token   bool `json:"token"` // whether there is one
}

func viewOf(f *contexts.File, c contexts.Context) contextView {
	return contextView{c, c.Name == f.Current, c.Token != ""}
}

func (a *app) contextListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short: "List the contexts; the current one has a star",
		Example: `  lockstep context list
  lockstep context list -o json | jq -r '.[] | select(.current) | .name'`,
		Args: wants(),
		RunE: func(*cobra.Command, []string) error {
			f, _, err := loadContexts()
			if err != nil {
				return err
			}
			return a.printContexts(f)
		},
	}
	return a.data(cmd)
}

func (a *app) printContexts(f *contexts.File) error {
	g := console.Grid{Columns: []console.Column{{Name: "CURRENT"}, {Name: "NAME"}, {Name: "ADDRESSES"}, {Name: "CERTIFICATE", Wide: true}, {Name: "TOKEN", Wide: true}}}
	views := []contextView{}
	for _, c := range f.Contexts {
		v := viewOf(f, c)
		views = append(views, v)
		star := " "
		if v.Current {
			star = "*"
		}
		g.Add(star, c.Name, strings.Join(c.Addresses, ","), c.Cert, yesNo(v.Token))
	}
	return a.print(printed{value: views, names: f.Names(), table: func(w io.Writer, wide bool) error {
		if len(views) == 0 {
			a.sayf("There are no contexts yet. Make one with \"lockstep context create NAME --addr HOST:PORT\".")
			return nil
		}
		return g.Write(w, wide)
	}})
}

func (a *app) contextUseCommand() *cobra.Command {
	return a.data(&cobra.Command{
		Use:               "use NAME",
		Short:             "Make a context the current one",
		Example:           `  lockstep context use lab`,
		Args:              wants("NAME"),
		ValidArgsFunction: completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.changeContexts("the current context is %s", func(f *contexts.File) (contextView, error) {
				c, err := findContext(f, args[0])
				if err != nil {
					return contextView{}, err
				}
				f.Current = c.Name
				return viewOf(f, *c), nil
			})
		},
	})
}

func (a *app) contextCreateCommand() *cobra.Command {
	var addresses []string
	var tls certs.Files
	var token string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Give a cluster a name",
		Long: `Gives a cluster a name. It becomes the current context if there is none. The files by
which the user is known to the cluster stay where they are.`,
		Example: `  lockstep context create lab --addr 10.0.0.1:7070,10.0.0.2:7070,10.0.0.3:7070
  lockstep context create here --addr 127.0.0.1
  lockstep context create safe --addr 10.0.0.1 --tls-ca certs/me/ca.pem --tls-cert certs/me/cert.pem --tls-key certs/me/key.pem`,
		Args: wants("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed(flagAddress) {
				return usageErrorf(cmd, "--%s is missing", flagAddress)
			}
			list, err := parseAddresses(addresses)
			if err != nil {
				return err
			}
			c, err := withFiles(contexts.Context{Name: args[0], Addresses: list, Token: token}, &tls)
			if err != nil {
				return err
			}
			return a.changeContexts("context %s is there", func(f *contexts.File) (contextView, error) {
				if err := f.Add(c); err != nil {
					return contextView{}, exitErrorf(codeUsage, "create %w", err)
				}
				if f.Current == "" {
					f.Current = args[0]
				}
				return viewOf(f, c), nil
			})
		},
	}
	cmd.Flags().StringSliceVar(&addresses, flagAddress, nil, "the cluster's coordinators, `HOST:PORT`, separated by commas; the port may be left out: "+defaultPort)
	tls.AddFlags(cmd.Flags())
	addToken(cmd.Flags(), &token)
	return a.data(cmd)
}

func (a *app) contextDeleteCommand() *cobra.Command {
	return a.data(&cobra.Command{
		Use: "delete NAME", Aliases: []string{"rm"},
		Short:             "Forget a context; the cluster does not notice",
		Example:           `  lockstep context delete lab`,
		Args:              wants("NAME"),
		ValidArgsFunction: completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			return a.changeContexts("context %s is gone", func(f *contexts.File) (contextView, error) {
				c, err := findContext(f, args[0])
				if err != nil {
					return contextView{}, err
				}
				v := viewOf(f, *c)
				return v, f.Delete(args[0])
			})
		},
	})
}

func loadContexts() (*contexts.File, string, error) {
	path, err := contexts.Path()
	if err != nil {
		return nil, "", err
	}
	f, err := contexts.Load(path)
	return f, path, err
}

// changeContexts makes a change, saves it and tells so of the context that was changed, in words with its name.
func (a *app) changeContexts(words string, change func(*contexts.File) (contextView, error)) error {
	f, path, err := loadContexts()
	if err != nil {
		return err
	}
	v, err := change(f)
	if err != nil {
		return err
	}
	if err := f.Save(path); err != nil {
		return err
	}
	return a.done(v, v.Name, words, v.Name)
}

// findContext returns the context of that name.
func findContext(f *contexts.File, name string) (*contexts.Context, error) {
	if c := f.Find(name); c != nil {
		return c, nil
	}
	return nil, exitErrorf(codeNotFound, "there is no context %q%s", name, didYouMean(name, f.Names(), ""))
}

func completeContexts(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	f, _, err := loadContexts()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return f.Names(), cobra.ShellCompDirectiveNoFileComp
}
