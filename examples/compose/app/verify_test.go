package main

import (
	"net/http"
	"testing"
)

// The signatures agree with examples that were computed elsewhere.
func TestSignaturesAgreeWithKnownExamples(t *testing.T) {
	b := bankly{publicKey: "NWUyNjgwZDMtNmE2Ni00YWYzLWJkNjUtMGM2ODMzYzczYzI1", privateKey: "V2ViaG9vayBBY2Vzc29CYW5rbHk="}
	got := b.sign("https://meuwebhook/123456", "1615331979", "972004b06b6b443d8ed71630c9430048", []byte(`[{"name":"PIX_CASH_IN_WAS_CLEARED"}]`))
	if want := "3I/NjFcsiB9NPqiCxPc1t2P+qPRQUIVbLjVrCL2hfI4="; got != want {
		t.Errorf("Bankly: want %s, got %s", want, got)
	}
	got = calypsoSign("b823a6b9ea72408583cef9ec8d67fa52", []byte(`{"account":"0xc195df92dd9db2a8f28e597981f113d6e7582f8b","timestamp":1751735302769}`))
	if want := "1ad0ad7acfaf7c4b33efd6785705ea79280539fcf371abd3c5c151d528e6804b4e653ed9bc16ff62f1be05d5091bc92b5535708df7a8a3d66b86f131b08049ba"; got != want {
		t.Errorf("Calypso: want %s, got %s", want, got)
	}
}

// A provider without keys yet, or a request without a signature, is refused and does not end the program.
func TestWhatIsNotSignedIsRefused(t *testing.T) {
	for name, p := range map[string]provider{
		"bts": &bts{itxKey: "key"}, "velafi": &velafi{}, "bankly": &bankly{}, "calypso": &calypso{}, "hsrcpay": &hsrcpay{},
	} {
		if m, err := p.receive(http.Header{}, []byte(`[{}]`)); err == nil {
			t.Errorf("%s: took %+v", name, m)
		}
	}
}
