// Package healthcheck is the sub-command by which a server's own program asks whether the server is healthy, for
// container images that have no other program in them.
package healthcheck

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"lockstep/internal/certs"
)

// Command is `healthcheck`. address is where it asks by default.
func Command(address string) *cobra.Command {
	timeout := 3 * time.Second
	var tls certs.Files
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit with 0 if the server at --target is healthy, else with 1",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			return check(ctx, address, &tls)
		},
	}
	cmd.Flags().StringVar(&address, "target", address, "gRPC address to ask")
	tls.AddFlags(cmd.Flags())
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for the answer")
	return cmd
}

// check asks with the standard gRPC health protocol.
func check(ctx context.Context, address string, tls *certs.Files) error {
	source, err := tls.Source(certs.Anonymous)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(certs.ClientCredentials(source, certs.Coordinator, certs.Worker)))
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	defer conn.Close()
	r, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		return fmt.Errorf("ask %s: %w", address, err)
	}
	if r.Status != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("%s is %s", address, r.Status)
	}
	return nil
}
