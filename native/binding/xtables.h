#pragma once

#include <variant>
#include <vector>

#include "binding/work.h"
#include "xtables/read.h"

namespace earshot::binding {

extern const Question<xtables::Query, std::vector<std::variant<xtables::Table, int>>> kReadXtables;

}  // namespace earshot::binding
