//! Handlers whose signature tells what they read and answer: no other becomes a route.

use axum::handler::Handler;

use super::shape::{Input, Shape};
use crate::http::answer::Answer;

/// A handler that can be described.
pub trait Operation<T, S>: Handler<T, S> {
    /// What it reads and answers.
    #[must_use]
    fn shape() -> Shape;
}

macro_rules! operation {
    ($tuple:ty, $($input:ident),*) => {
        impl<F, Fut, R, S, M, $($input),*> Operation<$tuple, S> for F
        where
            F: Handler<$tuple, S> + FnOnce($($input),*) -> Fut,
            Fut: Future<Output = R>,
            R: Answer,
            $($input: Input,)*
        {
            fn shape() -> Shape {
                let mut shape = Shape { replies: R::replies(), ..Shape::default() };
                $($input::describe(&mut shape);)*
                shape
            }
        }
    };
}

impl<F, Fut, R, S> Operation<((),), S> for F
where
    F: Handler<((),), S> + FnOnce() -> Fut,
    Fut: Future<Output = R>,
    R: Answer,
{
    fn shape() -> Shape {
        Shape {
            replies: R::replies(),
            ..Shape::default()
        }
    }
}

operation!((M, A), A);
operation!((M, A, B), A, B);
operation!((M, A, B, C), A, B, C);
operation!((M, A, B, C, D), A, B, C, D);
operation!((M, A, B, C, D, E), A, B, C, D, E);
operation!((M, A, B, C, D, E, G), A, B, C, D, E, G);
operation!((M, A, B, C, D, E, G, H), A, B, C, D, E, G, H);
operation!((M, A, B, C, D, E, G, H, I), A, B, C, D, E, G, H, I);
