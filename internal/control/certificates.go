package control

import (
	"net/http"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/authority"
)

// getCA answers the certificate of the development CA. It is public: a client needs it before it can trust this server.
func (a *API) getCA(*call) (int, any, error) {
	return http.StatusOK, text{contentType: "application/pem-certificate-chain", data: a.options.CA.PEM()}, nil
}

// issueClient makes a certificate for a client of a provider that asks for one.
func (a *API) issueClient(c *call) (int, any, error) {
	var body client.NewCertificate
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	if err := authority.CheckName(body.Name); err != nil {
		return 0, nil, invalid("name", err.Error())
	}
	made, err := a.options.CA.Client(body.Name, body.Expired)
	if err != nil {
		return 0, nil, err
	}
	certificate, key, err := authority.EncodePair(made)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, client.Certificate{
		Certificate: string(certificate), Key: string(key), CA: string(a.options.CA.PEM()),
	}, nil
}
