import unittest
import urllib.error
import urllib.request

from mocksrv import Mocksrv
from shop import Refused, Shop


def setUpModule():
    global server
    server = Mocksrv()


def tearDownModule():
    server.stop()


class ShopTest(unittest.TestCase):
    """Each test has a bank of its own, and a shop that is configured there."""

    def setUp(self):
        self.bankly = server.sandbox()
        sim = self.bankly.sims["bankly"]
        self.shop = Shop(sim["base_url"], sim["credentials"]["client_id"])
        self.addCleanup(self.shop.stop)

    def pay(self):
        """Lets money arrive, and waits until Bankly's first attempt to say so is answered."""
        event = {"sim": "bankly", "type": "TED_CASH_IN_WAS_CLEARED", "data": {"data": {"amount": {"value": 129.0}}}}
        self.bankly.post("/events", event)
        self.bankly.post("/clock/advance", {"by": "0s"})

    def delivery(self):
        (delivery,) = self.bankly.get("/deliveries?sim=bankly")["deliveries"]
        return delivery

    def test_survives_an_outage(self):
        self.shop.configure()
        self.shop.available = False
        self.pay()
        self.assertEqual({}, self.shop.received)

        self.shop.available = True
        self.bankly.post("/clock/advance", {"by": "1m"})
        self.assertEqual([129.0], list(self.shop.received.values()))
        delivery = self.delivery()
        self.assertEqual("delivered", delivery["state"], delivery["reason"])
        self.assertEqual([503, 200], [attempt["status"] for attempt in delivery["attempts"]])

    def test_gives_up_after_three_retries_and_counts_a_repeated_event_once(self):
        self.shop.configure()
        self.shop.available = False
        self.pay()
        self.bankly.post("/clock/advance", {"until": "idle"})
        delivery = self.delivery()
        self.assertEqual(("failed", 4), (delivery["state"], len(delivery["attempts"])), delivery["reason"])

        self.shop.available = True
        for _ in range(2):
            self.bankly.post(f"/deliveries/{delivery['id']}/redeliver", {})
            self.bankly.post("/clock/advance", {"by": "0s"})
        self.assertEqual(6, len(self.delivery()["attempts"]))
        self.assertEqual([129.0], list(self.shop.received.values()))

    def test_refuses_a_forged_delivery(self):
        self.shop.configure()
        self.pay()
        sent = self.delivery()["attempts"][0]["request"]  # what was sent, to the byte
        headers = {name: values[0] for name, values in sent["headers"].items()}

        def post(body):
            try:
                with urllib.request.urlopen(urllib.request.Request(self.shop.uri, body.encode(), headers)) as response:
                    return response.status
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        self.assertEqual(200, post(sent["body"]))
        self.assertEqual(401, post(sent["body"].replace("129", "999")))
        self.assertEqual([129.0], list(self.shop.received.values()))

    def test_a_refused_configuration_is_explained(self):
        with self.assertRaisesRegex(Refused, "403 .*FORBIDDEN"):
            self.shop.configure(scope="webhook.read")
        (exchange,) = self.bankly.get("/journal?sim=bankly&status=403")["exchanges"]
        self.assertEqual("createConfiguration", exchange["operation"])
        self.assertEqual("permission", exchange["refusal"]["rule"])
        self.assertIn("webhook.read", exchange["refusal"]["saw"])
        self.assertIn("webhook.write", exchange["refusal"]["want"])


if __name__ == "__main__":
    unittest.main()
