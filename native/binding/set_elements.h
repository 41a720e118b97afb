#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "binding/work.h"
#include "nftables/read.h"

namespace earshot::binding {

/** The sets to read, and in which network namespace. */
struct SetElementsQuery {
  std::vector<nftables::SetRequest> sets;
  std::optional<std::string> netns;
};

using SetElementsAnswer = std::vector<std::variant<nftables::Elements, netlink::Refusal>>;

extern const Question<SetElementsQuery, SetElementsAnswer> kReadSetElements;

/** packSetElements(bytes, shape, swapped): pure. */
Napi::Value packSetElements(const Napi::CallbackInfo& info);

}  // namespace earshot::binding
