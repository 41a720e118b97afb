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

/** The request in an object of JavaScript. */
netlink::Request toRequest(const Napi::Object& object);

/** A refusal as JavaScript sees it. */
Napi::Object toRefusal(Napi::Env env, const netlink::Refusal& refusal);

extern const Question<NetlinkQuery, netlink::Answer> kNetlink;

}  // namespace earshot::binding
