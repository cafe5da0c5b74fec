// Package mocksrv runs mocksrv, a webhook provider in a box, in a container for a Go test, with testcontainers-go.
//
//	c, err := mocksrv.Run(ctx, mocksrv.Image)
//	testcontainers.CleanupContainer(t, c)
//
// A test in Go that needs no container is faster with mocksrv.RunT of github.com/mocksrv/mocksrv. This package is for tests
// that run the image they also deploy with, or whose other parts are containers that call mocksrv by name.
package mocksrv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/mocksrv/mocksrv/client"
)

const (
	// Image is where releases are published.
	Image = "mocksrv/mocksrv"

	// HostName is the name of the machine that runs the test, in the container.
	HostName = "host.docker.internal"

	plainPort   = "8080/tcp"
	securePort  = "8443/tcp"
	tokenVar    = "MOCKSRV_CONTROL_TOKEN" //nolint:gosec // the name of a variable
	startupTime = 30 * time.Second
)

// Container is a running mocksrv.
type Container struct {
	testcontainers.Container

	token string
}

// Run starts an image and waits until it is ready. Like the modules of testcontainers-go it returns the container beside an
// error, too, when there is one to clean up.
func Run(ctx context.Context, img string, opts ...testcontainers.ContainerCustomizer) (*Container, error) {
	settings := []testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(plainPort, securePort),
		testcontainers.WithEnv(map[string]string{"MOCKSRV_LISTEN": "http://0.0.0.0:8080,https://0.0.0.0:8443", "MOCKSRV_QUIET": "true"}),
		testcontainers.WithHostConfigModifier(func(host *container.HostConfig) {
			host.ExtraHosts = append(host.ExtraHosts, HostName+":host-gateway")
		}),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/_mocksrv/health").WithPort(plainPort).WithPollInterval(20 * time.Millisecond).WithStartupTimeout(startupTime)),
	}
	c := &Container{}
	settings = append(settings, opts...)
	settings = append(settings, testcontainers.CustomizeRequestOption(func(req *testcontainers.GenericContainerRequest) error {
		c.token = req.Env[tokenVar]
		return nil
	}))
	started, err := testcontainers.Run(ctx, img, settings...)
	if started == nil {
		return nil, fmt.Errorf("mocksrv: run %s: %w", img, err)
	}
	c.Container = started
	if err != nil {
		return c, fmt.Errorf("mocksrv: run %s: %w", img, err)
	}
	return c, nil
}

// WithClock freezes the world clock of the default sandbox: retries then wait for the control API to move it.
func WithClock(at time.Time) testcontainers.CustomizeRequestOption {
	return testcontainers.WithEnv(map[string]string{"MOCKSRV_CLOCK": at.UTC().Format(time.RFC3339Nano)})
}

// WithSeed sets the seed that every id, secret and payload derives from. The default is 1.
func WithSeed(seed int64) testcontainers.CustomizeRequestOption {
	return testcontainers.WithEnv(map[string]string{"MOCKSRV_SEED": strconv.FormatInt(seed, 10)})
}

// WithControlToken asks for a token on the control API. Client sends it.
func WithControlToken(token string) testcontainers.CustomizeRequestOption {
	return testcontainers.WithEnv(map[string]string{tokenVar: token})
}

// WithAllowHosts lets the control API answer under further host names. It is needed where the Docker daemon is on another
// machine, with dots in its name.
func WithAllowHosts(names ...string) testcontainers.CustomizeRequestOption {
	return testcontainers.WithEnv(map[string]string{"MOCKSRV_ALLOW_HOST": strings.Join(names, ",")})
}

// URL is where the container is reached from the test by http.
func (c *Container) URL(ctx context.Context) (string, error) { return c.at(ctx, plainPort, "http") }

// TLSURL is where the container is reached from the test by https: it shows certificates of CA for any name.
func (c *Container) TLSURL(ctx context.Context) (string, error) {
	return c.at(ctx, securePort, "https")
}

// ControlURL is where the control API is reached: at URL, under /_mocksrv/.
func (c *Container) ControlURL(ctx context.Context) (string, error) { return c.URL(ctx) }

func (c *Container) at(ctx context.Context, port, scheme string) (string, error) {
	url, err := c.PortEndpoint(ctx, port, scheme)
	if err != nil {
		return "", fmt.Errorf("mocksrv: port %s: %w", port, err)
	}
	return url, nil
}

// HostURL is where a port of the machine that runs the test is reached from the container. A receiver there must listen on
// more than loopback where Docker is no virtual machine.
func (*Container) HostURL(port int) string {
	return "http://" + net.JoinHostPort(HostName, strconv.Itoa(port))
}

// BaseURL is where a provider of the default sandbox is reached from the test.
func (c *Container) BaseURL(ctx context.Context, sim string) (string, error) {
	s, err := c.sim(ctx, sim)
	return s.BaseURL, err
}

// Credentials are the ready-made credentials of a provider in the default sandbox.
func (c *Container) Credentials(ctx context.Context, sim string) (map[string]string, error) {
	s, err := c.sim(ctx, sim)
	return s.Credentials, err
}

func (c *Container) sim(ctx context.Context, name string) (client.SandboxSim, error) {
	control, err := c.Client(ctx)
	if err != nil {
		return client.SandboxSim{}, err
	}
	sandbox, err := control.In("default").Get(ctx)
	if err != nil {
		return client.SandboxSim{}, fmt.Errorf("mocksrv: the default sandbox: %w", err)
	}
	sim, ok := sandbox.Sims[name]
	if !ok {
		var names []string
		for known := range sandbox.Sims {
			names = append(names, known)
		}
		slices.Sort(names)
		return sim, fmt.Errorf("mocksrv: there is no sim %q; the sims are %s", name, strings.Join(names, ", "))
	}
	return sim, nil
}

// Client is a typed client of the control API.
func (c *Container) Client(ctx context.Context) (*client.Client, error) {
	url, err := c.ControlURL(ctx)
	if err != nil {
		return nil, err
	}
	return client.New(url, client.WithToken(c.token)), nil
}

// CA is the certificate of the container's development CA, in PEM.
func (c *Container) CA(ctx context.Context) ([]byte, error) {
	control, err := c.Client(ctx)
	if err != nil {
		return nil, err
	}
	pem, err := control.CA(ctx)
	if err != nil {
		return nil, fmt.Errorf("mocksrv: the CA: %w", err)
	}
	return pem, nil
}

// Transport leads every https URL to the container, whatever its host, and trusts the CA: an app that is given it uses the
// providers' own URLs. certificates are a client's, for a provider that asks for one.
func (c *Container) Transport(ctx context.Context, certificates ...tls.Certificate) (*http.Transport, error) {
	pem, err := c.CA(ctx)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("mocksrv: the CA is not in PEM")
	}
	url, err := c.TLSURL(ctx)
	if err != nil {
		return nil, err
	}
	address := strings.TrimPrefix(url, "https://")
	return &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: certificates, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, address)
		},
	}, nil
}
