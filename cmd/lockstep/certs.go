package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lockstep/internal/certs"
)

// certsFlags are what certs init and certs issue have in common.
type certsFlags struct {
	certs.Folder
	name string
	days int
}

func (a *app) certsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Make the certificates by which a cluster's processes and people know one another",
		Long: `Makes a certificate authority for a cluster, and certificates for its processes and people. With them every connection is
encrypted and authenticated (mutual TLS 1.3), and who may do what follows from the role in the certificate:

  coordinator   a coordinator          worker   a worker          nats    a NATS server of its own
  serve         a model server, with "serve --serve-tls-cert"; it may do nothing in the cluster
  reader        sees jobs and events   user     also submits and changes jobs
  admin         also moves the leader, takes and restores snapshots, makes tokens

Programs take them with --tls-ca, --tls-cert and --tls-key, or LOCKSTEP_TLS_CA, LOCKSTEP_TLS_CERT and LOCKSTEP_TLS_KEY. They
read the files again when they change: to renew a certificate, replace it. Keep ca-key.pem where nothing else can read it:
who has it can be anybody.`,
		Example: `  lockstep certs init coordinator/a coordinator/b coordinator/c worker/w admin/me
  lockstep certs issue worker/w2
  coordinator --tls-ca certs/a/ca.pem --tls-cert certs/a/cert.pem --tls-key certs/a/key.pem ...
  lockstep job list --tls-ca certs/me/ca.pem --tls-cert certs/me/cert.pem --tls-key certs/me/key.pem`,
	}
	cmd.AddCommand(a.certsInitCommand(), a.certsIssueCommand())
	return group(cmd)
}

func (a *app) certsInitCommand() *cobra.Command {
	var f certsFlags
	cmd := &cobra.Command{
		Use:   "init [ROLE/NAME[=HOST,...]...]",
		Short: "Make a certificate authority, and certificates of it",
		Long: `Makes a certificate authority in --dir, and certificates for the identities that are named. Files that are there are not
replaced, unless --force says so; with --keep those that are good stay, so that it can be run again at every start.`,
		Example: `  lockstep certs init
  lockstep certs init --dir /etc/lockstep/certs coordinator/a=a.example worker/w admin/me`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.issueCerts(cmd, &f, args, true)
		},
	}
	cmd.Flags().StringVar(&f.name, "name", "Lockstep cluster", "call the authority so")
	cmd.Flags().BoolVar(&f.Keep, "keep", false, "leave alone what is there and good for a month")
	return f.add(cmd)
}

func (a *app) certsIssueCommand() *cobra.Command {
	var f certsFlags
	cmd := &cobra.Command{
		Use:   "issue ROLE/NAME[=HOST,...]...",
		Short: "Make certificates of an authority that \"certs init\" has made",
		Long: `Makes a key and a certificate for each identity, in a folder of its name in --dir together with the authority's certificate:
all that a process needs, to be copied to its machine. Roles are coordinator, worker, nats, serve, reader, user and admin. Workers may
share a certificate, and so may coordinators. Browsers look at a host's name, processes do not: =HOST,... tells names or IP
addresses under which browsers reach this process, --host of all.`,
		Example: `  lockstep certs issue worker/w2 reader/dashboard
  lockstep certs issue coordinator/a=a.example,192.0.2.1
  lockstep certs issue coordinator/a --force                               # renew; the coordinator reads it by itself`,
		Args: wants("ROLE/NAME..."),
		RunE: func(cmd *cobra.Command, args []string) error { return a.issueCerts(cmd, &f, args, false) },
	}
	return f.add(cmd)
}

func (f *certsFlags) add(cmd *cobra.Command) *cobra.Command {
	flags := cmd.Flags()
	flags.StringVar(&f.Dir, "dir", "certs", "`DIR` of the authority and of what it issues")
	flags.StringSliceVar(&f.Hosts, "host", nil, "a host's `NAME` or IP address under which browsers reach the processes, all of them; may be repeated")
	flags.IntVar(&f.days, "days", int(certs.Validity/day), "certificates are good for `N` days")
	flags.BoolVar(&f.Force, "force", false, "replace what is there")
	return cmd
}

const day = 24 * time.Hour

func (a *app) issueCerts(cmd *cobra.Command, f *certsFlags, args []string, init bool) error {
	f.Validity = time.Duration(f.days) * day
	if f.days < 1 {
		return usageErrorf(cmd, "--days %d: want at least 1", f.days)
	}
	all, err := parseHolders(args)
	if err != nil {
		return usageErrorf(cmd, "%w", err)
	}
	if init {
		made, err := f.Init(f.name)
		if err != nil {
			return explainCerts(err)
		}
		a.said(made, "authority", filepath.Join(f.Dir, certs.CAFile))
	}
	for _, h := range all {
		dir, made, err := f.Issue(h.Identity, h.hosts...)
		if err != nil {
			return explainCerts(err)
		}
		a.said(made, h.String(), filepath.Join(dir, certs.CertFile))
	}
	return nil
}

// holder is who gets a certificate, and where browsers find it.
type holder struct {
	certs.Identity
	hosts []string
}

// parseHolders reads ROLE/NAME[=HOST,...].
func parseHolders(args []string) (all []holder, err error) {
	for _, arg := range args {
		name, list, given := strings.Cut(arg, "=")
		h := holder{}
		if h.Identity, err = certs.ParseIdentity(name); err != nil {
			return nil, err
		}
		if given {
			h.hosts = strings.Split(list, ",")
		}
		if slices.Contains(h.hosts, "") {
			return nil, fmt.Errorf("%q: want hosts behind the =, separated by commas; one is empty", arg)
		}
		all = append(all, h)
	}
	return all, nil
}

func (a *app) said(made bool, what, path string) {
	if made {
		a.sayf("made %s: %s", what, path)
		return
	}
	a.sayf("kept %s: %s", what, path)
}

// explainCerts says what to do.
func explainCerts(err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return exitErrorf(codeError, "%w\nIt is replaced with --force only.", err)
	case errors.Is(err, fs.ErrNotExist):
		return exitErrorf(codeError, "%w\nMake an authority with \"lockstep certs init\", or say where it is with --dir.", err)
	}
	return err
}
