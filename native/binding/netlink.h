#pragma once

#include <optional>
#include <string>

#include "binding/work.h"
#include "netlink/answer.h"

namespace earshot::binding {

/** What to ask, and in which network namespace. */
struct NetlinkQuery {
  netlink::Query query;
  std::optional<std::string> netns;
};

extern const Question<NetlinkQuery, netlink::Answer> kNetlink;

}  // namespace earshot::binding
