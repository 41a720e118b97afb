#pragma once

#include "binding/work.h"
#include "processes/options.h"

namespace earshot::binding {

extern const Question<processes::Descriptors, std::vector<uint8_t>> kSocketOptions;

}  // namespace earshot::binding
