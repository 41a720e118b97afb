// Runs flows for real: every client and every server of one batch in one epoll loop on one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lab {

struct FlowSpec {
  int netns = -1;
  int protocol = 0;
  std::string source;  // empty: the kernel chooses
  uint16_t sourcePort = 0;
  std::string device;
  std::string destination;
  uint16_t port = 0;
  std::string scope;
  uint32_t mark = 0;
  bool transparent = false;
  int timeoutMs = 0;
};

struct Server {
  int fd = -1;
  int protocol = 0;
  /// False: connections wait in the accept queue for ever, datagrams in the receive queue.
  bool serves = true;
  /// UDP: answer from the address that was asked, not from the one the route would choose.
  bool answersFromAsked = false;
};

struct FlowResult {
  /// 0: the answer came back. ETIMEDOUT with `failedAt` "silence": nothing came in time.
  int error = 0;
  const char* failedAt = "";
  /// What the client asked from, once connect() has chosen it.
  std::string source;
  uint16_t sourcePort = 0;
  /// TCP: connect() succeeded, whatever came after.
  bool connected = false;
  /// The servers that got the flow, by index: several for a broadcast.
  std::vector<int> takers;
  /// Who the server saw.
  std::string seenSource;
  uint16_t seenPort = 0;
  /// What the server's send failed with, 0 for sent.
  int answerError = 0;
  /// Somebody who took it has sent an answer.
  bool answerSent = false;
  std::string answeredFrom;
  uint16_t answeredPort = 0;
  double elapsedMs = 0;
};

/// `window`: how many flows are in flight at once.
std::vector<FlowResult> runFlows(const std::vector<Server>& servers,
                                 const std::vector<FlowSpec>& flows, int window);

}  // namespace lab
