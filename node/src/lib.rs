//! A control-plane node, built from Config.
