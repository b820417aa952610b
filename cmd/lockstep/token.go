package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
	"lockstep/internal/client"
	"lockstep/internal/console"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Give people and workers access with tokens",
		Long: `Commands for tokens, of a cluster that was started with certificates. Who has a token may call as its role says: reader, user
or admin, with --token or LOCKSTEP_TOKEN beside --tls-ca, or in the header "Authorization: Bearer TOKEN" over HTTPS. With a join
token a worker gets a certificate by itself: "worker --tls-ca FILE --join-token TOKEN". Only an administrator makes tokens; the
cluster keeps their SHA-256 alone.`,
		Example: `  lockstep token create ada --role user --expires 90
  lockstep token create rack-7 --role join --expires 1`,
	}
	cmd.AddCommand(a.tokenCreateCommand(), a.tokenListCommand(), a.tokenRevokeCommand())
	return group(cmd)
}

func (a *app) tokenCreateCommand() *cobra.Command {
	var role string
	var roles []string
	var days int
	var to tokenFolder
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token and print it, this once",
		Long: `Makes a token and prints it, or with --dir DIR writes it to DIR/token, with the certificate of the cluster's authority in
DIR/ca.pem beside it: all that a worker needs to join.`,
		Example: `  lockstep token create ada --role user
  LOCKSTEP_TOKEN=$(lockstep token create grafana --role reader --expires 0)
  lockstep token create workers --role join --expires 0 --dir join    # worker --tls-ca join/ca.pem --join-token-file join/token
  lockstep token create rack-7 --role join -o json | jq -r .id`,
		Args: wants("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if days < 0 {
				return usageErrorf(cmd, "--expires %d: want days, or 0 for never", days)
			}
			var end time.Time
			if to.keep && to.dir == "" {
				return usageErrorf(cmd, "--keep is for --dir")
			}
			if days > 0 {
				end = time.Now().Add(time.Duration(days) * day)
			}
			text, t, err := access.NewToken(args[0], certs.Role(role), end)
			if err != nil {
				return usageErrorf(cmd, "%w", err)
			}
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				if old, kept, err := to.kept(ctx, c, t); err != nil {
					return err
				} else if kept != nil {
					return a.saveToken(to, kept, old, "kept")
				}
				made, err := c.CreateToken(ctx, &lockstepv1.CreateTokenRequest{Token: t})
				if err != nil {
					return answer(err)
				}
				if to.dir != "" {
					return a.saveToken(to, made, text, "made")
				}
				return a.printNewToken(made, text)
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", string(certs.User), "what it is good for: `ROLE` is join, reader, user or admin")
	for _, r := range access.TokenRoles {
		roles = append(roles, string(r))
	}
	oneOf(cmd, "role", roles...)
	cmd.Flags().IntVar(&days, "expires", 90, "it is good for `N` days; 0: until it is revoked")
	cmd.Flags().StringVar(&to.dir, "dir", "", "write it to `DIR`, not to standard output")
	cmd.Flags().BoolVar(&to.keep, "keep", false, "with --dir: leave alone what is there and good")
	return a.data(a.remote(cmd))
}

// tokenView is a token as it is printed.
type tokenView struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
}

func tokenViewOf(t *lockstepv1.Token) tokenView {
	v := tokenView{ID: t.Id, Name: t.Name, Role: t.Role, Created: time.UnixMilli(t.CreatedMs).UTC()}
	if t.ExpiresMs != 0 {
		v.Expires = time.UnixMilli(t.ExpiresMs).UTC()
	}
	return v
}

// newToken is a token whose secret is known for this moment.
type newToken struct {
	tokenView
	Token string `json:"token"`
}

func (a *app) printNewToken(t *lockstepv1.Token, text string) error {
	return a.print(printed{value: newToken{tokenViewOf(t), text}, names: []string{t.Id}, table: func(w io.Writer, _ bool) error {
		a.sayf("token %s of %s/%s; it is not shown again", t.Id, t.Role, t.Name)
		_, err := fmt.Fprintln(w, text)
		return err
	}})
}

func (a *app) tokenListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short:   "List the tokens, without their secrets",
		Example: `  lockstep token list`,
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				r, err := c.ListTokens(ctx, &lockstepv1.ListTokensRequest{})
				if err != nil {
					return answer(err)
				}
				return a.printTokens(r.Tokens)
			})
		},
	}
	return a.data(a.remote(cmd))
}

func (a *app) printTokens(tokens []*lockstepv1.Token) error {
	p := printed{}
	views := []tokenView{}
	g := console.Grid{Columns: []console.Column{{Name: "ID"}, {Name: "NAME"}, {Name: "ROLE"}, {Name: "AGE"}, {Name: "EXPIRES"}}}
	for _, t := range tokens {
		v := tokenViewOf(t)
		expires := "never"
		if t.ExpiresMs != 0 {
			expires = v.Expires.Format(time.DateTime)
		}
		views, p.names = append(views, v), append(p.names, t.Id)
		g.Add(t.Id, t.Name, t.Role, ago(v.Created), expires)
	}
	p.value = views
	p.table = func(w io.Writer, wide bool) error { return g.Write(w, wide) }
	return a.print(p)
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	return a.data(a.remote(&cobra.Command{
		Use:     "revoke ID",
		Short:   "Make a token void at once; a worker's certificate ends by itself within a day",
		Example: `  lockstep token revoke 3f9c2a1be07d5c48`,
		Args:    wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd.Context(), func(ctx context.Context, c *client.Client) error {
				t, err := c.RevokeToken(ctx, &lockstepv1.RevokeTokenRequest{Token: args[0]})
				if err != nil {
					return answer(err)
				}
				return a.done(tokenViewOf(t), t.Id, "token %s of %s/%s is void", t.Id, t.Role, t.Name)
			})
		},
	}))
}
