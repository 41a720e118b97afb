#pragma once

#include "binding/work.h"
#include "netlink/answer.h"

namespace earshot::binding {

extern const Question<netlink::Query, netlink::Answer> kNetlink;

}  // namespace earshot::binding
