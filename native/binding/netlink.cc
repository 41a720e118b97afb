#include "binding/netlink.h"

#include "binding/arguments.h"
#include "namespaces/run.h"

namespace earshot::binding {

netlink::Request toRequest(const Napi::Object& object) {
  const auto payload = optionalBytes(object, "payload").value_or(std::span<const uint8_t>());
  return {static_cast<uint16_t>(number(object, "type")),
          static_cast<uint16_t>(number(object, "flags")),
          {payload.begin(), payload.end()}};
}

Napi::Object toRefusal(Napi::Env env, const netlink::Refusal& refusal) {
  auto refused = Napi::Object::New(env);
  refused.Set("errno", Napi::Number::New(env, refusal.code));
  refused.Set("detail", Napi::String::New(env, refusal.detail));
  return refused;
}

namespace {

NetlinkQuery netlinkQuery(const Napi::CallbackInfo& info) {
  const Napi::Object object = objectArgument(info, 0);
  NetlinkQuery asked;
  netlink::Query& query = asked.query;
  query.protocol = static_cast<int>(number(object, "protocol"));
  const Napi::Array requests = array(object, "requests");
  for (uint32_t at = 0; at < requests.Length(); at++) {
    query.requests.push_back(toRequest(requests.Get(at).ToObject()));
  }
  const Napi::Array groups = array(object, "watchGroups");
  for (uint32_t at = 0; at < groups.Length(); at++) {
    query.watchGroups.push_back(groups.Get(at).ToNumber().Uint32Value());
  }
  asked.netns = optionalString(object, "netns");
  return asked;
}

netlink::Answer ask(const NetlinkQuery& asked) {
  netlink::Answer answer;
  namespaces::run(asked.netns, [&] { answer = netlink::ask(asked.query); });
  return answer;
}

Napi::Value present(Napi::Env env, netlink::Answer& answer) {
  const auto replies = Napi::Array::New(env, answer.replies.size());
  for (uint32_t at = 0; at < answer.replies.size(); at++) {
    if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&answer.replies[at])) {
      replies.Set(at, toBytes(env, *bytes));
    } else {
      replies.Set(at, toRefusal(env, std::get<netlink::Refusal>(answer.replies[at])));
    }
  }
  auto result = Napi::Object::New(env);
  result.Set("replies", replies);
  result.Set("changed", Napi::Boolean::New(env, answer.changed));
  return result;
}

}  // namespace

const Question<NetlinkQuery, netlink::Answer> kNetlink{netlinkQuery, ask, present};

}  // namespace earshot::binding
