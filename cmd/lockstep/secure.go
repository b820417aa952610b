package main

import (
	"cmp"
	"path/filepath"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"

	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/contexts"
	"lockstep/internal/flagenv"
)

const flagToken = "token"

func addToken(f *pflag.FlagSet, token *string) {
	f.StringVar(token, flagToken, "", "`TOKEN` of \"lockstep token create\", where there is no certificate; better in the environment than here, where others see it [$"+
		flagenv.Name(flagToken)+"]")
}

// replace puts what was given on the command line, or in the environment, in the place of what a context has: the user is
// one or the other.
func (a *app) replace(t *contexts.Context) {
	if a.tls.Given() {
		t.CA = cmp.Or(a.tls.CA, t.CA)
	}
	if a.tls.Cert != "" || a.tls.Key != "" || a.token != "" {
		t.Cert, t.Key, t.Token = a.tls.Cert, a.tls.Key, a.token
	}
}

// sourceFor is what the user shows to a cluster, and trusts; nil where connections are plain.
func sourceFor(to contexts.Context) (certs.Source, error) {
	source, err := (&certs.Files{CA: to.CA, Cert: to.Cert, Key: to.Key}).Source(certs.Anonymous)
	if err != nil {
		return nil, exitErrorf(codeUsage, "%w", err)
	}
	return source, nil
}

// credentialsFor are the options of connections to a cluster's coordinators.
func credentialsFor(to contexts.Context) ([]grpc.DialOption, error) {
	source, err := sourceFor(to)
	if err != nil {
		return nil, err
	}
	opts := []grpc.DialOption{grpc.WithTransportCredentials(certs.ClientCredentials(source, certs.Coordinator))}
	switch {
	case to.Token == "":
	case source == nil:
		return nil, exitErrorf(codeUsage, "a token is shown over encrypted connections only: --%s is missing", certs.FlagCA)
	default:
		opts = append(opts, grpc.WithPerRPCCredentials(access.Bearer(to.Token)))
	}
	return opts, nil
}

// withFiles gives a context the files, if they can be used, by paths that are good from anywhere.
func withFiles(c contexts.Context, files *certs.Files) (contexts.Context, error) {
	c.CA, c.Cert, c.Key = files.CA, files.Cert, files.Key
	if _, err := sourceFor(c); err != nil {
		return c, err
	}
	for _, path := range []*string{&c.CA, &c.Cert, &c.Key} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return c, err
		}
	}
	return c, nil
}
