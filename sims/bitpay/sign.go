package bitpay

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"sync"

	"github.com/mocksrv/mocksrv/sims"
)

// webhookTestKey is a key for tests, made for this project and public with it: it protects nothing.
//
//go:embed webhook_test_key.pem
var webhookTestKey []byte

// keyPair is the RSA key of the environment, with its public half as webhooks show it (public-key).
type keyPair struct {
	private *rsa.PrivateKey
	public  string
}

//nolint:gochecknoglobals // a constant that is parsed when it is first needed
var environmentKey = sync.OnceValue(parseKey)

// parseKey panics only when the committed file is damaged.
func parseKey() keyPair {
	block, _ := pem.Decode(webhookTestKey)
	if block == nil {
		panic("webhook_test_key.pem: no PEM block")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		panic(fmt.Sprintf("webhook_test_key.pem: not an RSA key in PKCS#8: %v", err))
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		panic(fmt.Sprintf("webhook_test_key.pem: %v", err))
	}
	return keyPair{private: private, public: base64.StdEncoding.EncodeToString(public)}
}

// sign obeys delivery-request and delivery-signature: nothing but the exact body is signed.
func sign(a *sims.Attempt) (sims.Signature, error) {
	digest := sha256.Sum256(a.Body)
	raw, err := rsa.SignPKCS1v15(nil, environmentKey().private, crypto.SHA256, digest[:])
	if err != nil {
		return sims.Signature{}, fmt.Errorf("sign the body: %w", err)
	}
	value := hex.EncodeToString(raw)
	a.SetHeader("signature", value)
	return sims.Signature{
		Scheme: "rsa-sha256-hex", Header: "signature", Key: "the private half of the webhook's publicKey",
		StringToSign: string(a.Body), Value: value,
	}, nil
}
