// SPDX-License-Identifier: Apache-2.0
#include "server/operations/http_endpoint.h"

#include <CivetServer.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve {
namespace {

constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

struct Page {
  int status = 200;
  const char* reason = "OK";
  const char* content_type = kPlainText;
  const char* more_headers = "";
  std::string body;
};

// Handles every path, so that one place knows them all.
class Pages {
 public:
  Pages(Metrics& metrics, const Health& health, Liveness& liveness)
      : metrics_(metrics), health_(health), liveness_(liveness) {}

  // Answers a request of any method. `self` is this object.
  static int Handle(mg_connection* connection, void* self) {
    return static_cast<Pages*>(self)->Send(connection);
  }

 private:
  static Page Unavailable(absl::string_view why) {
    return {.status = 503, .reason = "Service Unavailable", .body = absl::StrCat(why, "\n")};
  }

  Page Find(const std::string& path) {
    if (path == "/metrics") return {.content_type = kPrometheusText, .body = metrics_.Text()};
    if (path == "/livez") {
      const absl::Status alive = liveness_.Check();
      return alive.ok() ? Page{.body = "alive\n"}
                        : Unavailable(absl::StrCat("not alive: ", alive.message()));
    }
    if (path == "/readyz") {
      const std::string description = health_.Describe();
      if (!health_.IsReady()) return Unavailable(description);
      const absl::Status alive = liveness_.Check();
      return alive.ok() ? Page{.body = absl::StrCat(description, "\n")}
                        : Unavailable(absl::StrCat("not ready: ", alive.message()));
    }
    return {.status = 404,
            .reason = "Not Found",
            .body =
                "no such page; there are /metrics, /livez and /readyz, for GET and HEAD; images "
                "are classified by gRPC, on the port of --grpc\n"};
  }

  // Returns the HTTP status.
  int Send(mg_connection* connection) {
    const mg_request_info& request = *mg_get_request_info(connection);
    const std::string method = request.request_method;
    Page page = Find(request.local_uri);
    if (method != "GET" && method != "HEAD" && page.status != 404) {
      page = {.status = 405,
              .reason = "Method Not Allowed",
              .more_headers = "\r\nAllow: GET, HEAD",
              .body = absl::StrCat("expected GET or HEAD, got ", method, "\n")};
    }
    std::string response = absl::StrCat("HTTP/1.1 ", page.status, " ", page.reason,
                                        "\r\nContent-Type: ", page.content_type,
                                        "\r\nContent-Length: ", page.body.size(), page.more_headers,
                                        "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    if (method != "HEAD") response += page.body;
    mg_write(connection, response.data(), response.size());
    // Otherwise civetweb would read the rest of the request's body, however long it is.
    mg_disable_connection_keep_alive(connection);
    return page.status;
  }

  Metrics& metrics_;
  const Health& health_;
  Liveness& liveness_;
};

// CivetServer::addHandler knows some methods only, and leaves the others to pages of its library.
class PageServer final : public CivetServer {
 public:
  PageServer(const std::vector<std::string>& options, Pages& pages) : CivetServer(options) {
    mg_set_request_handler(context, "/**", &Pages::Handle, &pages);
  }
};

}  // namespace

struct HttpEndpoint::Impl {
  Impl(const std::vector<std::string>& options, Metrics& metrics, const Health& health,
       Liveness& liveness)
      : pages(metrics, health, liveness), server(options, pages) {}
  ~Impl();

  ListenAddress address;  // with the actual port
  Pages pages;
  PageServer server;
};

namespace {

// What the system says when one tries to listen on an IPv4 address.
std::string WhyNotListening(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int unknown =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (unknown != 0) return absl::StrCat(address.host, ": ", ::gai_strerror(unknown));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::strerror(errno);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool listens =
      ::bind(socket, found->ai_addr, found->ai_addrlen) == 0 && ::listen(socket, 1) == 0;
  const int error = errno;
  ::close(socket);
  return listens ? "the HTTP library gives no reason" : std::strerror(error);
}

// Opens a connection and closes it.
void ConnectOnce(const ListenAddress& address) {
  const bool bracketed = address.host.front() == '[';
  const std::string host =
      bracketed ? address.host.substr(1, address.host.size() - 2) : address.host;
  char error[128];
  mg_close_connection(
      mg_connect_client(host.c_str(), address.port, /*use_ssl=*/0, error, sizeof(error)));
}

}  // namespace

// Ends the HTTP threads before the pages are destroyed. Civetweb checks whether to stop every two
// seconds, or when a client connects. So this connects to it.
HttpEndpoint::Impl::~Impl() {
  constexpr std::chrono::milliseconds kConnectInterval(2);
  std::future<void> closed = std::async(std::launch::async, [this] { server.close(); });
  while (closed.wait_for(kConnectInterval) == std::future_status::timeout) ConnectOnce(address);
}

absl::Status CheckHttpAddress(const ListenAddress& address) {
  if (address.host.rfind('[', 0) != 0 || mg_check_feature(MG_FEATURES_IPV6) != 0) {
    return absl::OkStatus();
  }
  std::string instead = "an IPv4 address of this machine";
  if (address.host == "[::1]") instead = absl::StrCat("127.0.0.1:", address.port);
  if (address.host == "[::]") instead = absl::StrCat("0.0.0.0:", address.port);
  return absl::InvalidArgumentError(
      absl::StrCat("--http: expected ", instead, ", because HTTP has no IPv6 here, got ",
                   ToString(address), "; --grpc may be an IPv6 address"));
}

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(const ListenAddress& address,
                                                                  Metrics& metrics,
                                                                  const Health& health,
                                                                  Liveness& liveness) {
  LIPSERVE_RETURN_IF_ERROR(CheckHttpAddress(address));
  const std::vector<std::string> options = {
      "listening_ports", ToString(address), "num_threads", "2", "request_timeout_ms", "5000"};
  try {
    auto impl = std::make_unique<Impl>(options, metrics, health, liveness);
    impl->address = {.host = address.host, .port = impl->server.getListeningPorts().at(0)};
    return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(impl)));
  } catch (const CivetException&) {
    // The exception's text says only that it failed.
    return absl::UnavailableError(absl::StrCat("http: cannot listen on ", ToString(address), ": ",
                                               WhyNotListening(address),
                                               "; choose another address with --http"));
  }
}

HttpEndpoint::HttpEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpEndpoint::~HttpEndpoint() = default;

int HttpEndpoint::port() const { return impl_->address.port; }

}  // namespace lipserve
