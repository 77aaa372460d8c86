// SPDX-License-Identifier: Apache-2.0
#include "server/operations/http_endpoint.h"

#include <CivetServer.h>

#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

struct Page {
  int status = 200;
  const char* reason = "OK";
  const char* content_type = kPlainText;
  std::string body;
};

// Handles every path, so that one place knows them all.
class Pages final : public CivetHandler {
 public:
  Pages(Metrics& metrics, const Health& health, Liveness& liveness)
      : metrics_(metrics), health_(health), liveness_(liveness) {}

  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    Send(connection, /*with_body=*/true);
    return true;
  }
  bool handleHead(CivetServer* /*server*/, mg_connection* connection) override {
    Send(connection, /*with_body=*/false);
    return true;
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
            .body = "no such page; there are /metrics, /livez and /readyz\n"};
  }

  void Send(mg_connection* connection, bool with_body) {
    const Page page = Find(mg_get_request_info(connection)->local_uri);
    std::string response = absl::StrCat("HTTP/1.1 ", page.status, " ", page.reason,
                                        "\r\nContent-Type: ", page.content_type,
                                        "\r\nContent-Length: ", page.body.size(),
                                        "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    if (with_body) response += page.body;
    mg_write(connection, response.data(), response.size());
  }

  Metrics& metrics_;
  const Health& health_;
  Liveness& liveness_;
};

}  // namespace

struct HttpEndpoint::Impl {
  Impl(const std::vector<std::string>& options, Metrics& metrics, const Health& health,
       Liveness& liveness)
      : pages(metrics, health, liveness), server(options) {
    server.addHandler("/**", pages);
  }
  ~Impl();

  ListenAddress address;  // with the actual port
  Pages pages;
  CivetServer server;
};

namespace {

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

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(const ListenAddress& address,
                                                                  Metrics& metrics,
                                                                  const Health& health,
                                                                  Liveness& liveness) {
  const std::vector<std::string> options = {
      "listening_ports", ToString(address), "num_threads", "2", "request_timeout_ms", "5000"};
  try {
    auto impl = std::make_unique<Impl>(options, metrics, health, liveness);
    impl->address = {.host = address.host, .port = impl->server.getListeningPorts().at(0)};
    return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(impl)));
  } catch (const CivetException&) {
    // The exception's text says only that it failed.
    return absl::UnavailableError(absl::StrCat("http: cannot listen on ", ToString(address),
                                               ": is the port in use? choose another with "
                                               "--http"));
  }
}

HttpEndpoint::HttpEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpEndpoint::~HttpEndpoint() = default;

int HttpEndpoint::port() const { return impl_->address.port; }

}  // namespace lipserve
