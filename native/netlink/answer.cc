#include "netlink/answer.h"

#include <optional>
#include <utility>

namespace earshot::netlink {

Answer ask(const Query& query) {
  Answer answer;
  // A socket of its own: notifications must neither mix with the answers nor crowd them out.
  std::optional<Socket> watcher;
  if (!query.watchGroups.empty()) {
    watcher.emplace(query.protocol);
    for (const uint32_t group : query.watchGroups) watcher->join(group);
  }
  Socket socket(query.protocol);
  Recorder recorder;
  for (const Request& request : query.requests) {
    auto refusal = socket.request(request.type, request.flags, request.payload, recorder);
    if (refusal) {
      answer.replies.emplace_back(std::move(*refusal));
    } else {
      answer.replies.emplace_back(std::exchange(recorder.bytes, {}));
    }
  }
  answer.changed = watcher && watcher->heard();
  return answer;
}

}  // namespace earshot::netlink
