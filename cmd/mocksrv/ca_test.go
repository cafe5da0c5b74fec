package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/authority"
)

// listening runs "serve" until the test ends, and returns its first lines: where it listens.
func listening(t *testing.T, count int, flags ...string) []string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	stdout, w := io.Pipe()
	ended := make(chan int, 1)
	var stderr locked
	go func() {
		ended <- run(ctx, append([]string{"serve", "--quiet"}, flags...), func(string) (string, bool) { return "", false }, w, &stderr)
		_ = w.Close()
	}()
	t.Cleanup(func() {
		stop()
		require.Equal(t, exitOK, <-ended, stderr.String())
	})
	lines := bufio.NewScanner(stdout)
	var all []string
	for range count {
		require.True(t, lines.Scan(), stderr.String())
		all = append(all, lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return all
}

// urlIn is the URL at the end of a line.
func urlIn(line string) string { return line[strings.LastIndex(line, " ")+1:] }

func TestEveryListenerIsNamedTheFirstOfHTTPBeforeAll(t *testing.T) {
	t.Parallel()
	lines := listening(t, 3, "--listen", "https://127.0.0.1:0", "--listen", "127.0.0.1:0", "--listen", "http://127.0.0.1:0")
	require.Regexp(t, `^mocksrv ready at http://127\.0\.0\.1:\d+$`, lines[0])
	require.Regexp(t, `^and at           https://127\.0\.0\.1:\d+$`, lines[1])
	require.Regexp(t, `^and at           http://127\.0\.0\.1:\d+$`, lines[2])
	for _, line := range lines {
		require.NoError(t, newClient(urlIn(line), "").Health(t.Context()))
	}
}

func TestTheCAIsPrintedFromItsFolderAndByAServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tls")
	lines := listening(t, 2, "--listen", "127.0.0.1:0", "--listen", "https://127.0.0.1:0", "--tls-dir", dir, "--control-token", "secret")
	kept, err := os.ReadFile(filepath.Join(dir, authority.CertificateFile))
	require.NoError(t, err)
	for _, from := range [][]string{{"--tls-dir", dir}, {"--url", urlIn(lines[0])}, {"--url", urlIn(lines[1])}} {
		code, out, errs := ran(t, nil, append([]string{"ca"}, from...)...)
		require.Equal(t, exitOK, code, errs)
		require.Equal(t, string(kept), out)
	}
	code, out, _ := ran(t, map[string]string{"MOCKSRV_TLS_DIR": dir}, "ca")
	require.Equal(t, exitOK, code, "as in the container of the server")
	require.Equal(t, string(kept), out)
}

// written reads back what "cert client" wrote.
func written(t *testing.T, certificate, key string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certificate, key)
	require.NoError(t, err)
	for path, mode := range map[string]os.FileMode{certificate: modeCertificate, key: modeKey} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
	return pair.Leaf
}

func TestClientCertificatesAreIssuedFromTheFolderAndByAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines := listening(t, 2, "--listen", "127.0.0.1:0", "--listen", "https://127.0.0.1:0", "--tls-dir", dir, "--control-token", "secret")
	ca, err := authority.Find(dir)
	require.NoError(t, err)
	for _, from := range [][]string{
		{"--tls-dir", dir}, {"--url", urlIn(lines[0]), "--control-token", "secret"}, {"--url", urlIn(lines[1]), "--control-token", "secret"},
	} {
		for name, expired := range map[string]bool{"mocksrv client": false, "checkout": true} {
			certificate, key := filepath.Join(t.TempDir(), "c.pem"), filepath.Join(t.TempDir(), "k.pem")
			require.NoError(t, os.WriteFile(key, []byte("older, and for all to see"), 0o644))
			args := append([]string{"cert", "client", "--force", "--out-cert", certificate, "--out-key", key}, from...)
			if expired {
				args = append(args, "--name", name, "--expired")
			}
			code, out, errs := ran(t, nil, args...)
			require.Equal(t, exitOK, code, errs)
			require.Empty(t, out+errs)
			leaf := written(t, certificate, key)
			require.Equal(t, name, leaf.Subject.CommonName)
			_, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			if !expired {
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, "expired")
		}
	}
}

func TestWhatCannotBeIssuedIsRefused(t *testing.T) {
	t.Parallel()
	here, dir := t.TempDir(), t.TempDir()
	_, err := authority.Open(dir)
	require.NoError(t, err)
	server := urlIn(listening(t, 1, "--listen", "127.0.0.1:0", "--control-token", "secret")[0])
	to := []string{"--out-cert", filepath.Join(here, "c.pem"), "--out-key", filepath.Join(here, "k.pem")}
	for says, c := range map[string]struct {
		code int
		args []string
	}{
		"there is no CA in " + here + " (no ca-key.pem); start the server with --tls-dir " + here + ", which makes one\n": {exitFailed, append([]string{"--tls-dir", here}, to...)},
		"ask the server at http://127.0.0.1:1 for a certificate":                                                          {exitFailed, append([]string{"--url", "http://127.0.0.1:1"}, to...)},
		"control token required":                                 {exitFailed, append([]string{"--url", server}, to...)},
		"--out-key: open /no/such/k.pem":                         {exitFailed, []string{"--tls-dir", dir, to[0], to[1], "--out-key", "/no/such/k.pem"}},
		"--out-cert: open /no/such/c.pem":                        {exitFailed, []string{"--tls-dir", dir, to[2], to[3], "--out-cert", "/no/such/c.pem"}},
		"missing flags: --out-cert=FILE, --out-key=FILE":         {exitUsage, nil},
		"--out-cert and --out-key: want two files, got /x twice": {exitUsage, []string{"--out-cert", "/x", "--out-key", "/x"}},
		"--name: a name has at most 64 characters":               {exitUsage, append([]string{"--name", strings.Repeat("x", 65)}, to...)},
	} {
		code, out, errs := ran(t, nil, append([]string{"cert", "client"}, c.args...)...)
		require.Equal(t, c.code, code, "%s: %s", says, errs)
		require.Contains(t, errs, says)
		require.Empty(t, out)
		require.NoFileExists(t, to[3], "no key without its certificate")
	}
	code, _, errs := ran(t, nil, "ca", "--url", "http://127.0.0.1:1")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "ask the server at http://127.0.0.1:1 for its CA")
}

// TestOnlyAServerOfThisMachineIsTakenAtItsWord: over TLS any other must be trusted first.
func TestOnlyAServerOfThisMachineIsTakenAtItsWord(t *testing.T) {
	t.Parallel()
	for server, here := range map[string]bool{
		"https://127.0.0.1:8443": true, "https://localhost:8443": true, "https://[::1]:1": true, "https://127.9.9.9": true,
		"https://192.0.2.1": false, "https://mocksrv": false, "https://localhost.example": false, "http://127.0.0.1": false, "::": false,
	} {
		require.Equal(t, here, onThisMachine(server), server)
	}
}

func TestAnOwnCertificateIsShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other, err := authority.New()
	require.NoError(t, err)
	own, err := authority.Leaf(authority.Trusted, other, netip.Addr{})
	require.NoError(t, err)
	certificate, key, err := authority.EncodePair(own)
	require.NoError(t, err)
	certFile, keyFile := filepath.Join(dir, "own.pem"), filepath.Join(dir, "own-key.pem")
	require.NoError(t, writeFile(certFile, certificate, modeCertificate))
	require.NoError(t, writeFile(keyFile, key, modeKey))
	line := listening(t, 1, "--listen", "https://127.0.0.1:0", "--tls-cert", certFile, "--tls-key", keyFile)[0]
	conn, err := tls.Dial("tcp", strings.TrimPrefix(urlIn(line), "https://"), &tls.Config{RootCAs: other.Pool()})
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	for says, pair := range map[string][2]string{
		"no such file": {"/no/such.pem", keyFile}, "failed to find any PEM data": {certFile, os.DevNull}, "--tls-cert": {keyFile, keyFile},
	} {
		code, _, errs := ran(t, nil, "serve", "--listen", "https://127.0.0.1:0", "--tls-cert", pair[0], "--tls-key", pair[1])
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, "--tls-cert "+pair[0]+", --tls-key "+pair[1]+": ")
		require.Contains(t, errs, says)
	}
}

func TestFilesThatAreThereAreNotOverwritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := authority.Open(dir)
	require.NoError(t, err)
	there, fresh := filepath.Join(dir, "there.pem"), filepath.Join(dir, "fresh.pem")
	require.NoError(t, os.WriteFile(there, []byte("precious"), 0o600))
	for flag, files := range map[string][2]string{"--out-cert": {there, fresh}, "--out-key": {fresh, there}} {
		code, _, errs := ran(t, nil, "cert", "client", "--tls-dir", dir, "--out-cert", files[0], "--out-key", files[1])
		require.Equal(t, exitFailed, code)
		require.Equal(t, "mocksrv: "+flag+": "+there+" is there already; name another file, or say --force to overwrite it\n", errs)
		kept, err := os.ReadFile(there)
		require.NoError(t, err)
		require.Equal(t, "precious", string(kept))
		require.NoFileExists(t, fresh, "nothing is written when one of both is there")
	}
	require.NoError(t, (&certClientCommand{OutCert: os.DevNull, OutKey: fresh}).spare(), "a device is no file that could be lost")
}

func TestAnEncryptedKeyIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, err := authority.Open(dir)
	require.NoError(t, err)
	certificate := filepath.Join(dir, authority.CertificateFile)
	for name, block := range map[string]*pem.Block{
		"pkcs8.pem":  {Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("for tests")},
		"legacy.pem": {Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("for tests")},
	} {
		key := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(block), 0o600))
		code, _, errs := ran(t, nil, "serve", "--listen", "https://127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key)
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, "the key in "+key+" is encrypted, want one without a password; openssl pkey -in "+key+" -out FILE makes one")
		own := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(own, authority.CertificateFile), ca.PEM(), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(own, authority.KeyFile), pem.EncodeToMemory(block), 0o600))
		code, _, errs = ran(t, nil, "ca", "--tls-dir", own)
		require.Equal(t, exitFailed, code)
		require.Contains(t, errs, "ca-key.pem is encrypted")
	}
}

// TestTheServerSaysWhichFolderItCannotUse: and does not start.
func TestTheServerSaysWhichFolderItCannotUse(t *testing.T) {
	t.Parallel()
	code, _, errs := ran(t, nil, "serve", "--listen", "127.0.0.1:0", "--tls-dir", "/proc/mocksrv")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "authority: no CA can be kept in /proc/mocksrv: ")
}
