#pragma once

#include "binding/work.h"
#include "files/read.h"

namespace earshot::binding {

extern const Question<files::Query, std::vector<files::Content>> kReadFiles;

}  // namespace earshot::binding
