package bitpay

import (
	"fmt"
	"strings"
	"time"

	"github.com/mocksrv/mocksrv/sims"
)

// orderMessage obeys delivery-order-fields and delivery-order-status: fiatAmount = cryptoAmount × orderPrice + fiatFee.
func orderMessage(s sims.Source) map[string]any {
	crypto, price, fee := s.Fake.IntRange(100, 100_000), s.Fake.IntRange(1_700, 2_100), s.Fake.IntRange(0, 500)
	return map[string]any{
		"orderId": digits(s, 18), "clientId": clientID(s), "userId": digits(s, 6), "merchantId": s.Fake.IntRange(1, 99),
		"orderType": s.Fake.RandomString([]string{"BUY", "SELL"}),
		"fiat":      "MXN", "fiatAmount": fixed(crypto*price+fee*100, 4), "fiatFee": fixed(fee, 2),
		"crypto": s.Fake.RandomString([]string{"USDT", "USDC"}), "cryptoAmount": fixed(crypto, 2), "orderPrice": fixed(price, 2),
		"orderStatus": s.Fake.RandomString([]string{"10", "11", "12", "30", "31", "40", "50", "60", "70", "72", "73"}),
		"failCode":    "", "failReason": "",
		"createTime": millis(earlier(s)), "updateTime": millis(s.Event.At),
	}
}

// globalPaymentMessage obeys delivery-order-status: the price is that of one unit paid out, and the fee leaves the payout.
func globalPaymentMessage(s sims.Source) map[string]any {
	out, price, fee := s.Fake.IntRange(1_000, 100_000), s.Fake.IntRange(17, 21), s.Fake.IntRange(0, 500)
	return map[string]any{
		"orderId": digits(s, 18), "clientId": clientID(s), "userId": digits(s, 6),
		"onRampCountry": "Mexico", "onRampMerchantId": s.Fake.IntRange(1, 99), "onRampFiat": "MXN",
		"onRampFiatAmount": fixed(out*price, 2), "onRampFiatFee": "0",
		"offRampCountry": "Hong Kong", "offRampMerchantId": s.Fake.IntRange(1, 99), "offRampFiat": "USD",
		"offRampFiatAmount": fixed(out-fee, 2), "offRampFiatFee": fixed(fee, 2),
		"orderPrice":  fixed(price*100, 2),
		"orderStatus": s.Fake.RandomString([]string{"10", "11", "12", "30", "31", "41", "51", "60", "71", "72"}),
		"createTime":  millis(earlier(s)), "updateTime": millis(s.Event.At),
	}
}

// fundingMessage obeys delivery-numbers: even the merchant's id is text here.
func fundingMessage(s sims.Source) map[string]any {
	amount, fee := s.Fake.IntRange(1_000, 1_000_000), s.Fake.IntRange(0, 500)
	return map[string]any{
		"txId": digits(s, 10), "clientId": clientID(s), "merchantId": digits(s, 2), "merchantName": s.Fake.Company(),
		"fiat":        s.Fake.RandomString([]string{"ARS", "MXN", "BRL", "COP"}),
		"totalAmount": fixed(amount+fee, 2), "amount": fixed(amount, 2), "fee": fixed(fee, 2),
		"paymentId": digits(s, 2), "userPaymentId": digits(s, 2),
		"type":       s.Fake.RandomString([]string{"DEPOSIT", "WITHDRAW", "BUY_CRYPTO", "REFUND"}),
		"status":     s.Fake.RandomString([]string{"1", "2", "3", "4"}),
		"createTime": millis(earlier(s)), "updateTime": millis(s.Event.At),
		"cardNo": digits(s, 10), "taxId": digits(s, 10), "payerName": s.Fake.Name(), "payerAccount": "CH" + digits(s, 19),
		"depositAlias": strings.ToLower(s.Fake.LastName()), "bankWebhookInfo": "{}", "failCode": "", "failReason": "",
	}
}

// stableCoinMessage obeys delivery-numbers and delivery-stable-coin-status.
func stableCoinMessage(s sims.Source) map[string]any {
	amount, fee := s.Fake.IntRange(1_000, 1_000_000), s.Fake.IntRange(0, 500)
	created := earlier(s)
	coin, link := s.Fake.RandomString([]string{"USDT", "USDC"}), s.Fake.IntRange(10_000, 999_999)
	return map[string]any{
		"orderId": s.Fake.IntRange(1_000_000_000, 9_999_999_999), "userId": s.Fake.IntRange(1_000_000_000, 9_999_999_999),
		"merchantId": s.Fake.IntRange(1, 99), "linkId": link, "walletId": s.Fake.IntRange(10_000, 99_999),
		"walletName": "Main " + coin + " Wallet", "referenceId": "REF-" + s.Event.At.UTC().Format(time.DateOnly) + "-" + digits(s, 3),
		"currency": coin, "network": "ethereum", "networkName": "Ethereum Mainnet",
		"depositAmount": float64(amount) / 100, "feeAmount": float64(fee) / 100, "receivedAmount": float64(amount-fee) / 100,
		"status":      "CONFIRMED",
		"fromAddress": hexText(s, 40), "toAddress": hexText(s, 40), "txHash": hexText(s, 64),
		"paymentLink": fmt.Sprintf("https://payment.example.com/pay/%d", link),
		"createTime":  created.UnixMilli(), "cancelTime": nil,
		"processTime": created.Add(s.Event.At.Sub(created) / 2).UnixMilli(), "confirmTime": s.Event.At.UnixMilli(),
	}
}

// withdrawMessage obeys delivery-withdraw-message.
func withdrawMessage(s sims.Source) map[string]any {
	return map[string]any{
		"orderId": digits(s, 18), "clientId": clientID(s), "crypto": s.Fake.RandomString([]string{"USDT", "USDC"}),
		"amount": fixed(s.Fake.IntRange(10, 100_000), 2), "network": s.Fake.RandomString([]string{"POL", "ETH", "BSC"}),
		"address": hexText(s, 40), "txHash": hexText(s, 64), "status": "succeeded", "reason": "",
		"timestamp": millis(s.Event.At),
	}
}

// earlier is when the order or record of an event was created.
func earlier(s sims.Source) time.Time {
	return s.Event.At.Add(-time.Duration(s.Fake.IntRange(60, 3_600)) * time.Second)
}

func clientID(s sims.Source) string { return "W" + digits(s, 12) }

// digits is a number of n digits, as text.
func digits(s sims.Source, n int) string {
	return s.Fake.RandomString([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}) + s.Fake.Numerify(strings.Repeat("#", n-1))
}

// fixed writes an amount in units of 10^-places.
func fixed(units, places int) string {
	whole, one := units, 1
	for range places {
		whole, one = whole/10, one*10
	}
	return fmt.Sprintf("%d.%0*d", whole, places, units%one)
}

func hexText(s sims.Source, n int) string {
	const alphabet = "0123456789abcdef"
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[s.Fake.IntRange(0, 15)]
	}
	return "0x" + string(out)
}
