package control

import (
	"fmt"
	"net/http"
	"time"

	"github.com/mocksrv/mocksrv/client"
	"github.com/mocksrv/mocksrv/internal/doctor"
)

// examine says whether a webhook URL can be reached by this server's deliveries.
func (a *API) examine(c *call) (int, any, error) {
	var body client.DoctorCheck
	if err := read(c, &body); err != nil {
		return 0, nil, err
	}
	if body.URL == "" {
		return 0, nil, invalid("url", "is missing: the webhook URL to look at, such as http://127.0.0.1:9000/hook")
	}
	check := doctor.Check{URL: body.URL, NoRequest: body.NoRequest, Timeout: doctor.DefaultTimeout}
	if body.Timeout != "" {
		timeout, err := time.ParseDuration(body.Timeout)
		if err != nil || timeout < doctor.MinTimeout || timeout > doctor.MaxTimeout {
			return 0, nil, invalid("timeout", fmt.Sprintf("%q is no duration such as \"5s\", from %s to %s", shorten(body.Timeout), doctor.MinTimeout, doctor.MaxTimeout))
		}
		check.Timeout = timeout
	}
	patient(c)
	report, err := a.doctor.Examine(c.Context(), check)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, report, nil
}
