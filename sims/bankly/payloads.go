package bankly

import (
	"strconv"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// content is the data of an event by its context (ted-data, pix-data, other-data).
func content(s sims.Source) sims.Object {
	switch s.Event.Group {
	case "Pix":
		return pix(s)
	case "Dict":
		return dict(s)
	case "Ted":
		return sims.Object{
			{Name: "authenticationCode", Value: s.Fake.UUID()},
			{Name: "amount", Value: money(s)},
			{Name: "recipient", Value: sims.Object{{Name: "document", Value: cpf(s)}}},
		}
	case "Boleto", "SLC", "Payment":
		return settlement(s)
	case "Authorization":
		return authorization(s)
	case "Card":
		return sims.Object{
			{Name: "proxy", Value: s.Fake.Numerify("2229041000#########")},
			{Name: "lastFourDigits", Value: s.Fake.Numerify("####")},
			{Name: "documentNumber", Value: cpf(s)},
			{Name: "status", Value: status(s)},
		}
	case "Account", "Pocket":
		return accountChange(s)
	case "Credit", "Invoice":
		return credit(s)
	case "Openfinance":
		return sims.Object{
			{Name: "consentId", Value: "urn:bankly:" + s.Fake.Numerify("########")},
			{Name: "amount", Value: money(s)},
			{Name: "status", Value: status(s)},
		}
	default:
		return party(s)
	}
}

func pix(s sims.Source) sims.Object {
	payee := cpf(s)
	return sims.Object{
		{Name: "addressingKey", Value: sims.Object{{Name: "value", Value: payee}, {Name: "type", Value: "CPF"}}},
		{Name: "authenticationCode", Value: s.Fake.UUID()},
		{Name: "amount", Value: money(s)},
		{Name: "description", Value: "Pedido " + s.Fake.Numerify("####")},
		{Name: "recipient", Value: holder(s, payee, ownBank())},
		{Name: "channel", Value: channel(s)},
		{Name: "createdAt", Value: eventTime(s.Event.At)},
	}
}

// channel says how a Pix transfer came in. An end-to-end id names the payer's bank and the minute.
func channel(s sims.Source) sims.Object {
	return sims.Object{
		{Name: "name", Value: "Pix"},
		{Name: "end2EndId", Value: "E18236120" + s.Event.At.UTC().Format("200601021504") + s.Fake.Numerify("s##########")},
		{Name: "receiverReconciliationId", Value: s.Fake.Numerify("PEDIDO####")},
		{Name: "pixInitializationType", Value: "Key"},
		{Name: "pixPaymentPriority", Value: "HIGH"},
		{Name: "pixPaymentPriorityType", Value: "CUSTOMER"},
		{Name: "pixPaymentPurpose", Value: "PURCHASE_OR_TRANSFER"},
		{Name: "sender", Value: holder(s, cpf(s), bank("18236120", "260", "Nu Pagamentos S.A."))},
	}
}

func dict(s sims.Source) sims.Object {
	return sims.Object{
		{Name: "claimId", Value: s.Fake.UUID()},
		{Name: "claimType", Value: s.Fake.RandomString([]string{"OWNERSHIP", "PORTABILITY"})},
		{Name: "status", Value: status(s)},
		{Name: "addressingKey", Value: sims.Object{
			{Name: "value", Value: s.Fake.Numerify("cliente####@example.com")}, {Name: "type", Value: "EMAIL"},
		}},
		{Name: "conclusionLimitDate", Value: s.Event.At.UTC().AddDate(0, 0, 7).Format(time.RFC3339)},
	}
}

// settlement is money that reaches or leaves somebody by a bill or a card settlement.
func settlement(s sims.Source) sims.Object {
	o := sims.Object{{Name: "authenticationCode", Value: s.Fake.UUID()}, {Name: "amount", Value: money(s)}}
	switch s.Event.Group {
	case "Payment":
		return append(o, sims.Member{Name: "digitable", Value: digits(s, 48)}, sims.Member{Name: "status", Value: status(s)})
	case "Boleto":
		o = append(o, sims.Member{Name: "digitable", Value: digits(s, 47)}, sims.Member{Name: "dueDate", Value: dueDate(s)})
	}
	return append(o, sims.Member{Name: "recipient", Value: sims.Object{
		{Name: "document", Value: cnpj(s)}, {Name: "account", Value: account(s)},
	}})
}

func authorization(s sims.Source) sims.Object {
	return sims.Object{
		{Name: "transactionId", Value: s.Fake.UUID()},
		{Name: "cardProxy", Value: s.Fake.Numerify("2229041000#########")},
		{Name: "amount", Value: money(s)},
		{Name: "merchant", Value: sims.Object{{Name: "name", Value: company(s)}, {Name: "mcc", Value: "5462"}}},
		{Name: "status", Value: status(s)},
	}
}

func accountChange(s sims.Source) sims.Object {
	first := sims.Member{Name: "documentNumber", Value: cpf(s)}
	if s.Event.Group == "Pocket" {
		first = sims.Member{Name: "pocketId", Value: s.Fake.UUID()}
	}
	o := sims.Object{first, {Name: "account", Value: account(s)}}
	if s.Event.Group == "Pocket" || strings.HasPrefix(s.Event.Type, "AMOUNT_") {
		o = append(o, sims.Member{Name: "amount", Value: money(s)})
	}
	return append(o, sims.Member{Name: "status", Value: status(s)})
}

func credit(s sims.Source) sims.Object {
	if s.Event.Group == "Invoice" {
		return sims.Object{
			{Name: "invoiceId", Value: s.Fake.UUID()},
			{Name: "amount", Value: money(s)},
			{Name: "dueDate", Value: dueDate(s)},
			{Name: "status", Value: status(s)},
		}
	}
	return sims.Object{
		{Name: "contractId", Value: s.Fake.UUID()},
		{Name: "documentNumber", Value: cpf(s)},
		{Name: "limit", Value: money(s)},
		{Name: "status", Value: status(s)},
	}
}

// party is the data of contexts that are about somebody and hardly more.
func party(s sims.Source) sims.Object {
	switch s.Event.Group {
	case "Document":
		return sims.Object{
			{Name: "documentNumber", Value: cpf(s)}, {Name: "token", Value: s.Event.Seed.Hex(12)}, {Name: "status", Value: status(s)},
		}
	case "Partner":
		return sims.Object{{Name: "featureName", Value: "PIX_CASH_OUT"}, {Name: "documentNumber", Value: cpf(s)}}
	case "Business":
		return sims.Object{
			{Name: "documentNumber", Value: cnpj(s)}, {Name: "businessName", Value: company(s) + " Ltda"}, {Name: "status", Value: status(s)},
		}
	default: // Customer
		return sims.Object{
			{Name: "documentNumber", Value: cpf(s)}, {Name: "registerName", Value: person(s)}, {Name: "status", Value: status(s)},
		}
	}
}

func holder(s sims.Source, document string, at sims.Object) sims.Object {
	return sims.Object{
		{Name: "document", Value: sims.Object{{Name: "value", Value: document}, {Name: "type", Value: "CPF"}}},
		{Name: "type", Value: "Customer"},
		{Name: "name", Value: person(s)},
		{Name: "account", Value: append(account(s), sims.Member{Name: "bank", Value: at})},
	}
}

func ownBank() sims.Object { return bank("13140088", "332", "Acesso Soluções de Pagamento S.A.") }

func bank(ispb, compe, name string) sims.Object {
	return sims.Object{{Name: "ispb", Value: ispb}, {Name: "compe", Value: compe}, {Name: "name", Value: name}}
}

func account(s sims.Source) sims.Object {
	return sims.Object{{Name: "branch", Value: "0001"}, {Name: "number", Value: digits(s, 6)}}
}

func money(s sims.Source) sims.Object {
	return sims.Object{{Name: "value", Value: s.Fake.Price(1, 900)}, {Name: "currency", Value: "BRL"}}
}

// status is what the event's name says happened: CONFIRMED for PIX_CLAIM_WAS_CONFIRMED.
func status(s sims.Source) string {
	for _, verb := range []string{"_WAS_", "_HAS_"} {
		if _, what, ok := strings.Cut(s.Event.Type, verb); ok {
			return what
		}
	}
	return s.Event.Type[strings.LastIndex(s.Event.Type, "_")+1:]
}

func dueDate(s sims.Source) string { return s.Event.At.UTC().AddDate(0, 0, 10).Format(time.DateOnly) }

func person(s sims.Source) string {
	return s.Fake.RandomString([]string{"Maria Silva", "João Souza", "Ana Oliveira", "Pedro Santos", "Beatriz Lima"})
}

func company(s sims.Source) string {
	return s.Fake.RandomString([]string{"Padaria Central", "Mercado Bom Preço", "Farmácia Aurora", "Livraria do Porto"})
}

func digits(s sims.Source, n int) string { return s.Fake.Numerify(strings.Repeat("#", n)) }

// cpf is a person's number with valid check digits, cnpj a company's.
func cpf(s sims.Source) string { return withCheckDigits(digits(s, 9), 10) }

func cnpj(s sims.Source) string { return withCheckDigits(digits(s, 8)+"0001", 8) }

// withCheckDigits appends both check digits: weights run from 2 at the right and start anew after a cycle.
func withCheckDigits(number string, cycle int) string {
	for range 2 {
		sum := 0
		for i := range len(number) {
			sum += int(number[len(number)-1-i]-'0') * (2 + i%cycle)
		}
		number += strconv.Itoa(sum * 10 % 11 % 10)
	}
	return number
}
