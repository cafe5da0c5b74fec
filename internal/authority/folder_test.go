package authority

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mocksrv/mocksrv/internal/clock"
)

func errorAs[E error](err error) (E, bool) { return errors.AsType[E](err) }

// write puts a file into a folder; nil takes it out.
func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if data == nil {
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
		return
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, privateFile))
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return data
}

// files is a CA as its two files, the key alone in its own.
func files(t *testing.T, ca *CA) (certificate, key []byte) {
	t.Helper()
	certificate, key, err := EncodePair(&tls.Certificate{Certificate: [][]byte{ca.Certificate.Raw}, PrivateKey: ca.key})
	require.NoError(t, err)
	return certificate, key
}

func TestAFolderKeepsItsCA(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	first, err := Open(dir)
	require.NoError(t, err)
	again, err := Open(dir)
	require.NoError(t, err)
	require.True(t, first.Certificate.Equal(again.Certificate))
	require.Equal(t, first.PEM(), read(t, dir, CertificateFile))
	for name, mode := range map[string]fs.FileMode{CertificateFile: publicFile, KeyFile: privateFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing is left aside")
	leaf, err := again.Client("", false)
	require.NoError(t, err)
	_, err = leaf.Leaf.Verify(x509.VerifyOptions{Roots: first.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)
}

func TestProcessesThatStartTogetherShareOneCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := make([]*CA, 16)
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() { made[i], _ = Open(dir) })
	}
	wg.Wait()
	for _, ca := range made {
		require.NotNil(t, ca)
		require.True(t, made[0].Certificate.Equal(ca.Certificate))
	}
}

// TestTheFirstProcessWins: what another process placed meanwhile stays.
func TestTheFirstProcessWins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, create(dir))
	first := read(t, dir, KeyFile)
	require.NoError(t, create(dir))
	require.Equal(t, first, read(t, dir, KeyFile))
}

func TestACAFromElsewhere(t *testing.T) {
	t.Parallel()
	dir, ca := t.TempDir(), newTestCA(t)
	certificate, key := files(t, ca)
	write(t, dir, CertificateFile, certificate)
	write(t, dir, KeyFile, key)
	got, err := Open(dir)
	require.NoError(t, err)
	require.True(t, ca.Certificate.Equal(got.Certificate))
}

func TestALostCertificateComesBackFromTheKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, err := Open(dir)
	require.NoError(t, err)
	write(t, dir, CertificateFile, nil)
	again, err := Find(dir)
	require.NoError(t, err)
	require.True(t, ca.Certificate.Equal(again.Certificate))
	require.Equal(t, ca.PEM(), read(t, dir, CertificateFile))
}

func TestABadFolderIsRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	ca, other := newTestCA(t), newTestCA(t)
	certificate, key := files(t, ca)
	_, otherKey := files(t, other)
	leaf, err := Leaf(SelfSigned, nil, netip.Addr{})
	require.NoError(t, err)
	leafCertificate, leafKey, err := EncodePair(leaf)
	require.NoError(t, err)
	plain, err := issue(&x509.Certificate{NotBefore: clock.WallNow(), NotAfter: clock.WallNow().Add(day)}, nil)
	require.NoError(t, err)
	plainCertificate, plainKey, err := EncodePair(plain)
	require.NoError(t, err)
	endedCertificate, endedKey := files(t, endedCA(t))
	for says, c := range map[string]struct{ certificate, key []byte }{
		"ca.pem is there without ca-key.pem; put its key beside it":               {certificate, nil},
		"ca-key.pem is there without ca.pem; put its certificate beside it":       {nil, key},
		"ca.pem and " + KeyFile + " are no pair: tls: private key does not match": {certificate, otherKey},
		"are no pair: tls: failed to find any PEM data in certificate input":      {[]byte("x"), key},
		"are no pair: tls: failed to find any PEM data in key input":              {certificate, []byte("x")},
		"is no certificate of a CA: it may not sign others":                       {leafCertificate, leafKey},
		"ca.pem is no certificate of a CA":                                        {plainCertificate, plainKey},
		"; remove it and ca-key.pem, so that a new pair is made":                  {endedCertificate, endedKey},
	} {
		dir := t.TempDir()
		if c.certificate != nil {
			write(t, dir, CertificateFile, c.certificate)
		}
		if c.key != nil {
			write(t, dir, KeyFile, c.key)
		}
		_, err := Open(dir)
		require.ErrorContains(t, err, says)
	}
}

// endedCA is one that ended an hour ago.
func endedCA(t *testing.T) *CA {
	t.Helper()
	now := clock.WallNow()
	made, err := issue(&x509.Certificate{
		NotBefore: now.Add(-day), NotAfter: now.Add(-time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	require.NoError(t, err)
	ca, err := newCA(made.Leaf, made.PrivateKey)
	require.NoError(t, err)
	return ca
}

func TestAFolderThatCannotBeWrittenToIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, privateFile))
	_, err := Open(file)
	require.ErrorContains(t, err, "not a directory")
	_, err = Open(filepath.Join(file, "below"))
	require.ErrorContains(t, err, "not a directory")
	_, err = Open("/proc/mocksrv-tls") // where root may not write, either
	require.ErrorContains(t, err, "authority: no CA can be kept in /proc/mocksrv-tls: mkdir /proc/mocksrv-tls: ")
	require.ErrorContains(t, err, "; name a folder that this user may write to")
}

func TestFindMakesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	_, err := Find(dir)
	require.ErrorContains(t, err, "there is no CA in "+dir+" (no ca-key.pem); start the server with --tls-dir "+dir+", which makes one")
	require.NoDirExists(t, dir)
}
