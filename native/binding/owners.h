#pragma once

#include "binding/work.h"
#include "processes/owners.h"

namespace earshot::binding {

extern const Question<processes::Query, processes::Owners> kOwners;

}  // namespace earshot::binding
