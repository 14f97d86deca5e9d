DROP {kind} {names}
