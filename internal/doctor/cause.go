package doctor

// Cause is a word for what keeps a delivery from arriving. Programs may compare with it: a word keeps its meaning.
type Cause string

// The causes, in the order of the steps that find them.
const (
	InvalidURL        Cause = "invalid_url"
	UnsupportedScheme Cause = "unsupported_scheme"

	DNSNotFound    Cause = "dns_not_found"
	DNSFailed      Cause = "dns_failed"       // no name server gave an answer
	ServiceName    Cause = "service_name"     // a compose or Kubernetes service's name that does not resolve here
	DockerHostName Cause = "docker_host_name" // host.docker.internal, which nothing defines

	MetadataAddress    Cause = "metadata_address"
	LinkLocalAddress   Cause = "link_local_address"
	UnspecifiedAddress Cause = "unspecified_address"
	PublicAddress      Cause = "public_address"
	MocksrvItself      Cause = "mocksrv_itself" // by its address, or by what answers there

	Refused            Cause = "refused"
	ContainerLocalhost Cause = "container_localhost" // localhost is the container that mocksrv runs in
	OtherLoopback      Cause = "other_loopback"      // the app listens on the other one of 127.0.0.1 and ::1
	ServiceRefused     Cause = "service_refused"     // by a service that runs: it may listen on its own loopback only
	HostRefused        Cause = "host_refused"        // by the host of the container, likewise
	ConnectTimeout     Cause = "connect_timeout"
	Unreachable        Cause = "unreachable"
	ConnectFailed      Cause = "connect_failed"

	TLSSelfSigned        Cause = "tls_self_signed"
	TLSUnknownAuthority  Cause = "tls_unknown_authority"
	TLSExpired           Cause = "tls_expired"
	TLSNotYetValid       Cause = "tls_not_yet_valid"
	TLSWrongHost         Cause = "tls_wrong_host"
	TLSBadCertificate    Cause = "tls_bad_certificate" // in another way
	TLSClientCertificate Cause = "tls_client_certificate"
	TLSProtocol          Cause = "tls_protocol" // no version or cipher in common
	TLSBroken            Cause = "tls_broken"   // the connection ended in the handshake
	TLSTimeout           Cause = "tls_timeout"
	HTTPSOnHTTPPort      Cause = "https_on_http_port"
	NotTLS               Cause = "not_tls"

	RequestFailed Cause = "request_failed" // it was reached a moment before

	HTTPOnHTTPSPort  Cause = "http_on_https_port"
	Slow             Cause = "slow"
	Reset            Cause = "reset"
	NotHTTP          Cause = "not_http"
	TooLarge         Cause = "too_large"
	RedirectToHTTPS  Cause = "redirect_to_https"
	Redirect         Cause = "redirect"
	BadRequest       Cause = "bad_request"
	Unauthorized     Cause = "unauthorized"
	CredentialsInURL Cause = "credentials_in_url" // which are not sent, and are asked for
	Forbidden        Cause = "forbidden"
	NotFound         Cause = "not_found"
	MethodNotAllowed Cause = "method_not_allowed"
	ClientError      Cause = "client_error" // another 4xx
	ServerError      Cause = "server_error"
	GatewayError     Cause = "gateway_error" // of a proxy in front of the app
	UnexpectedStatus Cause = "unexpected_status"

	noCause Cause = ""
)
